"""Atomic writes, and checks that keep the user's files from being overwritten."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path


def write(path: str | os.PathLike[str], data: bytes) -> None:
    """Write a file atomically; see `replacing`."""
    with replacing(path) as temporary:
        temporary.write_bytes(data)


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield an empty temporary file that replaces `path` at the end, or is removed if anything fails.

    Links are followed. A new file gets the permissions of the umask; a replaced one keeps its own.

    Raises:
        OSError: `path` can't be written or is not a regular file; the error names `path`.
    """
    target = Path(path)
    if target.is_symlink():
        target = Path(os.path.realpath(target))
    temporary = target.with_name(f".adain-{secrets.token_hex(6)}.tmp")
    try:
        if (mode := _mode(target)) is not None and not stat.S_ISREG(mode):
            raise FileExistsError(errno.EEXIST, "Not a regular file", str(path))
        if mode is not None and not os.access(target, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        if mode is not None:
            with contextlib.suppress(OSError):  # some file systems have no permissions
                os.chmod(temporary, stat.S_IMODE(mode))
        yield temporary
        os.replace(temporary, target)
    except OSError as error:
        if error.errno is None:  # raised by an encoder, not by the disk
            raise
        raise OSError(error.errno, error.strerror, str(path)) from None
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def check_folder(folder: str | os.PathLike[str]) -> None:
    """Check, before anything is computed, that files can be written to a folder, which need not exist yet.

    Raises:
        ValueError: the folder or one of its parents is not a folder.
        OSError: no file can be created there, or a name is too long for the file system.
    """
    parent = Path(folder)
    while not os.path.lexists(parent) and parent != parent.parent:
        if too_long(parent):
            raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG), str(folder))
        parent = parent.parent
    if not parent.is_dir():
        raise ValueError(f"{shown(parent)} is not a folder, so nothing can be written into it; choose another folder.")
    probe = parent / f".adain-{secrets.token_hex(6)}.tmp"
    try:
        os.close(os.open(probe, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(folder)) from None
    finally:
        with contextlib.suppress(OSError):
            probe.unlink()


def check_outputs(paths: Iterable[str | os.PathLike[str]]) -> None:
    """Check, before anything is computed, that files can be written, replacing existing ones.

    Raises:
        ValueError: a path is not a regular file or is a broken link, or see `check_folder`.
        OSError: a file has no write permission, or see `check_folder`.
    """
    checked = set()
    for path in map(Path, paths):
        target = Path(os.path.realpath(path)) if os.path.islink(path) else path
        if target is not path and not target.parent.is_dir():
            raise ValueError(f"{shown(path)} is a link into a missing folder; create it, or remove the link.")
        if target.parent not in checked:
            check_folder(target.parent)
            checked.add(target.parent)
        mode = _mode(target)
        if mode is not None and not stat.S_ISREG(mode):
            raise ValueError(f"{shown(path)} is not a regular file, so it can't be replaced; choose another output.")
        if mode is not None and not os.access(target, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))


def check_new(folder: str | os.PathLike[str], names: Sequence[str], overwrite: bool = False) -> None:
    """Check that files can be written to a folder, and that none of them exists unless `overwrite` is set.

    Raises:
        ValueError: a file exists already, or see `check_folder`.
        OSError: see `check_folder`.
    """
    check_folder(folder)
    if overwrite:
        check_outputs(Path(folder) / name for name in names)
        return
    if existing := [name for name in names if os.path.lexists(Path(folder) / name)]:
        what = shown(Path(folder) / existing[0]) + (f" and {len(existing) - 1} more" if len(existing) > 1 else "")
        verb, them = ("exists", "it") if len(existing) == 1 else ("exist", "them")
        raise ValueError(f"{what} already {verb}; choose another output, or use --overwrite to replace {them}.")


def identity(path: str | os.PathLike[str]) -> tuple[int, int] | str:
    """Return what is the same for all names of one file: through links, and where a disk ignores case."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return os.path.realpath(path)
    return found.st_dev, found.st_ino


def too_long(path: Path) -> bool:
    """Return whether a file's name is longer than its file system allows."""
    parent = path.parent
    while not parent.is_dir() and parent != parent.parent:
        parent = parent.parent
    try:
        most = os.pathconf(parent, "PC_NAME_MAX")
    except (OSError, ValueError, AttributeError):
        most = 255
    return len(os.fsencode(path.name)) > most


def shown(path: str | os.PathLike[str]) -> str:
    """Format a path for a sentence: control characters are replaced, and a long path is shortened in the middle."""
    text = "".join(each if each.isprintable() else "?" for each in os.fspath(path))
    return text if len(text) <= 120 else f"{text[:60]}...{text[-40:]}"


def _mode(path: Path) -> int | None:
    try:
        return path.lstat().st_mode
    except FileNotFoundError:
        return None
