"""Atomic writes that never overwrite the user's files unless asked to."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path


def write(path: str | os.PathLike[str], data: bytes) -> None:
    """Write a file whole or not at all; as `replacing`."""
    with replacing(path) as temporary:
        temporary.write_bytes(data)


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give an empty file beside `path` to write to, which takes its place at the end and is removed if anything fails.

    A link is followed. A new file has the permissions that the umask leaves, one that is replaced keeps its own.

    Raises:
        OSError: naming `path`; it can't be written, or what is there is no regular file.
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
            with contextlib.suppress(OSError):  # some disks know no permissions
                os.chmod(temporary, stat.S_IMODE(mode))
        yield temporary
        os.replace(temporary, target)
    except OSError as error:
        if error.errno is None:  # an encoder's, not the disk's
            raise
        raise OSError(error.errno, error.strerror, str(path)) from None
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def check_folder(folder: str | os.PathLike[str]) -> None:
    """Check, before anything is computed, that files can be written into a folder, which may have to be made.

    Raises:
        ValueError: it, or what it should be made in, is no folder.
        OSError: the disk doesn't let files be made there, or takes no name that is so long.
    """
    place = Path(folder)
    while not os.path.lexists(place) and place != place.parent:
        if too_long(place):
            raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG), str(folder))
        place = place.parent
    if not place.is_dir():
        raise ValueError(f"{shown(place)} is not a folder, so nothing can be written into it; choose another folder.")
    probe = place / f".adain-{secrets.token_hex(6)}.tmp"
    try:
        os.close(os.open(probe, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(folder)) from None
    finally:
        with contextlib.suppress(OSError):
            probe.unlink()


def check_outputs(paths: Iterable[str | os.PathLike[str]]) -> None:
    """Check, before anything is computed, that files can be written, over those that are there.

    Raises:
        ValueError: one can't be replaced or lies behind a link that leads nowhere, or there can be no such folder.
        OSError: as `check_folder`, or a file may not be written.
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
    """Check that a folder can take files, and holds none of them, unless they are to be replaced.

    Raises:
        ValueError: one is there, or there can be no such folder.
        OSError: as `check_folder`.
    """
    check_folder(folder)
    if overwrite:
        check_outputs(Path(folder) / name for name in names)
        return
    if there := [name for name in names if os.path.lexists(Path(folder) / name)]:
        what = shown(Path(folder) / there[0]) + (f" and {len(there) - 1} more" if len(there) > 1 else "")
        raise ValueError(
            f"{what} {'is' if len(there) == 1 else 'are'} there already; name another place, or give --overwrite to"
            " replace what is there."
        )


def too_long(path: Path) -> bool:
    """Tell whether a file's name has more bytes than its disk takes."""
    place = path.parent
    while not place.is_dir() and place != place.parent:
        place = place.parent
    try:
        most = os.pathconf(place, "PC_NAME_MAX")
    except (OSError, ValueError, AttributeError):
        most = 255
    return len(os.fsencode(path.name)) > most


def shown(path: str | os.PathLike[str]) -> str:
    """Return a path as it is put into a sentence: without what a terminal would obey, and the middle of a long one."""
    text = "".join(each if each.isprintable() else "?" for each in os.fspath(path))
    return text if len(text) <= 120 else f"{text[:60]}...{text[-40:]}"


def _mode(path: Path) -> int | None:
    try:
        return path.lstat().st_mode
    except FileNotFoundError:
        return None
