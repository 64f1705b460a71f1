"""The only module that uses the network: downloads files and parts of files from the Hub, and uploads folders.

It uses huggingface_hub's session and headers, so HF_ENDPOINT, HF_TOKEN, HF_HUB_OFFLINE, and the timeouts apply, and no
token is sent to another host on a redirect. Downloads are not verified here: the caller checks their hashes.
"""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NamedTuple

LOG = logging.getLogger("adain_core")
RETRIES = 5  # consecutive ones without receiving a byte
WAIT = 1.0  # seconds before each retry
HEADER = 2**20  # maximum size of a safetensors header in bytes; VGG-19's has 4 kB
GAP = 2**16  # ranges closer than this, in bytes, are downloaded as one
SHA256 = re.compile("[0-9a-f]{64}")

Span = tuple[int, int | None]  # the first byte and the one after the last; None for the end of the file
Report = Callable[[int, int | None], None]  # takes the bytes received and the total


class Unavailable(Exception):
    """A source can't provide a file; the message gives the reason in a few words."""


class Unreachable(Unavailable):
    """A server doesn't respond or can't be reached; asking it for another repository is pointless."""


class DiskError(Exception):
    """A download can't be written to disk; the message gives the reason in a few words."""


@dataclass(frozen=True)
class Source:
    """The location of a file: in a repository on the Hub, or at a URL in `address`. Trust comes from its hash alone."""

    repo: str
    filename: str
    repo_type: str = "model"
    revision: str = "main"
    address: str = ""

    @property
    def url(self) -> str:
        """URL of the file."""
        from huggingface_hub import hf_hub_url  # slow to import, and `compact` never needs it

        return self.address or hf_hub_url(self.repo, self.filename, repo_type=self.repo_type, revision=self.revision)

    @property
    def host(self) -> str:
        """Host name of the server."""
        return self.url.split("/")[2]


class Metadata(NamedTuple):
    """A server's metadata of a file; None for what it doesn't report."""

    sha256: str | None
    size: int | None


class TensorSlice(NamedTuple):
    """The type, shape, and byte range of a tensor in a safetensors file."""

    dtype: str
    shape: tuple[int, ...]
    first: int
    last: int


def assets() -> Path:
    """Return the folder within HF_HOME for files derived from downloads."""
    from huggingface_hub import constants

    return Path(constants.HF_ASSETS_CACHE) / "adain-playground"


def cached(source: Source) -> Path | None:
    """Return the path of a file in huggingface_hub's cache, such as from a Space's preload_from_hub, or None."""
    from huggingface_hub import try_to_load_from_cache

    if source.address:
        return None
    with _explained():
        found = try_to_load_from_cache(
            source.repo, source.filename, repo_type=source.repo_type, revision=source.revision
        )
    return Path(found) if isinstance(found, str) else None


@contextlib.contextmanager
def locked(path: Path, waiting: str) -> Iterator[None]:
    """Hold a lock between processes; if another process holds it, log `waiting` and wait."""
    from filelock import Timeout
    from huggingface_hub.utils import WeakFileLock  # type: ignore[attr-defined]

    with contextlib.ExitStack() as stack:
        with disk():
            try:
                stack.enter_context(WeakFileLock(path, timeout=0.1))
            except Timeout:
                LOG.info(waiting)
                stack.enter_context(WeakFileLock(path))
        yield


@contextlib.contextmanager
def disk() -> Iterator[None]:
    """Turn an OSError into a DiskError with a short reason."""
    try:
        yield
    except OSError as error:
        words = {errno.ENOSPC: "the disk is full", errno.EDQUOT: "the disk quota is exceeded"}
        words |= dict.fromkeys((errno.EROFS, errno.EACCES, errno.EPERM), "it can't be written")
        raise DiskError(words.get(error.errno or 0, error.strerror or "the disk failed")) from None


def metadata(source: Source) -> Metadata:
    """Request a file's SHA-256 and size before downloading it.

    Raises:
        Unavailable: the server doesn't have the file or doesn't respond.
    """
    from huggingface_hub import constants, get_hf_file_metadata

    if source.address:
        return Metadata(None, None)
    with _explained():
        found = get_hf_file_metadata(source.url, timeout=constants.HF_HUB_ETAG_TIMEOUT)
    return Metadata(found.etag if SHA256.fullmatch(found.etag or "") else None, found.size)


def fetch(source: Source, part: Path, spans: Sequence[Span], report: Report) -> None:
    """Download byte ranges of a file and append them to `part`, resuming after what it already contains.

    Args:
        source: the file.
        part: file to append to; created if missing.
        spans: the byte ranges, in the order in which `part` holds them.
        report: called as bytes arrive.

    Raises:
        Unavailable: the server doesn't have the file, or the connection keeps breaking.
        DiskError: `part` can't be written.
    """
    idle = 0
    with disk(), part.open("ab", buffering=0) as file:
        while (rest := _rest(spans, have := file.tell())) is not None:
            try:
                _append(source, spans, rest, file, report)
            except Unreachable as error:
                idle = 0 if file.tell() > have else idle + 1
                if idle > RETRIES:
                    raise Unavailable(str(error)) from None
                LOG.info("%s: %s; resuming.", source.repo, error)
                time.sleep(WAIT)
                continue
            if rest[1] is None:
                return
            if file.tell() <= have:
                raise Unavailable("the connection was lost")


def _append(source: Source, spans: Sequence[Span], rest: Span, file: IO[bytes], report: Report) -> None:
    """Append one byte range, or start over if the server ignores the range and sends the whole file."""
    lengths = [0 if last is None else last - first for first, last in spans]
    with _explained(), _opened(source, rest) as (chunks, start, size):
        if start != rest[0]:
            if len(spans) > 1 or spans[0][0] > 0:
                raise Unavailable("it doesn't support range requests")
            file.truncate(0)
            file.seek(0)
        left = None if rest[1] is None else rest[1] - start
        for chunk in chunks:
            file.write(chunk[:left])
            report(file.tell(), sum(lengths) or size)
            if left is not None and (left := left - len(chunk)) <= 0:
                return


def header(source: Source) -> dict[str, TensorSlice]:
    """Download the header of a safetensors file: its tensors by name.

    Raises:
        Unavailable: the server doesn't have the file or doesn't respond, or it isn't a safetensors file.
    """
    length = int.from_bytes(_read(source, (0, 8)), "little")
    if not 2 <= length <= HEADER:
        raise Unavailable("this is not a safetensors file")
    start = 8 + length
    try:
        found = json.loads(_read(source, (8, start)))
        return {
            name: TensorSlice(each["dtype"], tuple(each["shape"]), *(start + offset for offset in each["data_offsets"]))
            for name, each in found.items()
            if name != "__metadata__"
        }
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Unavailable("this is not a safetensors file") from None


def merge(slices: Mapping[str, TensorSlice]) -> list[tuple[int, int]]:
    """Return the byte ranges to download for some tensors, with nearby ones merged."""
    spans: list[tuple[int, int]] = []
    for each in sorted(slices.values(), key=lambda each: each.first):
        if spans and each.first <= spans[-1][1] + GAP:
            spans[-1] = (spans[-1][0], max(each.last, spans[-1][1]))
        else:
            spans.append((each.first, each.last))
    return spans


def upload(folder: Path, repo: str, kind: str, private: bool) -> str:
    """Upload a folder to a new or existing repository and return its URL.

    Args:
        folder: the files to upload.
        repo: name of the repository, `user/name`.
        kind: "model" or "space".
        private: whether a new repository is visible only to its owner.

    Raises:
        Unavailable: the Hub refuses it.
    """
    from huggingface_hub import HfApi

    with _explained():
        api = HfApi()
        sdk = "gradio" if kind == "space" else None
        url = api.create_repo(repo, repo_type=kind, space_sdk=sdk, private=private, exist_ok=True)
        api.upload_folder(folder_path=folder, repo_id=repo, repo_type=kind, commit_message="Upload a folder")
        return str(url)


def _read(source: Source, span: tuple[int, int]) -> bytes:
    """Download a few bytes."""
    found = b""
    with _explained(), _opened(source, span) as (chunks, start, _):
        if start != span[0]:
            raise Unavailable("it doesn't support range requests")
        for chunk in chunks:
            found += chunk
            if len(found) >= span[1] - span[0]:
                break
    return found[: span[1] - span[0]]


def _rest(spans: Sequence[Span], have: int) -> Span | None:
    """Return the missing part of the first incomplete byte range, or None if all are complete."""
    for first, last in spans:
        if last is None or have < last - first:
            return first + have, last
        have -= last - first
    return None


@contextlib.contextmanager
def _opened(source: Source, span: Span) -> Iterator[tuple[Iterator[bytes], int, int | None]]:
    """Request a byte range; yield the response's chunks, the position of its first byte, and the file's size."""
    from huggingface_hub import constants
    from huggingface_hub.utils import (  # type: ignore[attr-defined]
        build_hf_headers,
        get_session,
        hf_raise_for_status,
    )

    first, last = span
    headers = {} if source.address else build_hf_headers()
    headers |= {"Accept-Encoding": "identity", "Range": f"bytes={first}-{'' if last is None else last - 1}"}
    timeout = constants.HF_HUB_DOWNLOAD_TIMEOUT
    with get_session().stream("GET", source.url, headers=headers, timeout=timeout, follow_redirects=True) as response:
        hf_raise_for_status(response)
        if response.status_code != 206:
            length = response.headers.get("Content-Length")
            yield response.iter_raw(), 0, int(length) if length else None
            return
        found = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", response.headers.get("Content-Range", ""))
        if found is None or int(found[1]) != first:
            raise Unavailable("it sent a different range than requested")
        yield response.iter_raw(), first, int(found[2])


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    """Turn errors of the connection and of the server into Unavailable with a short reason."""
    import httpx2
    from huggingface_hub import errors

    try:
        yield
    except (httpx2.TimeoutException, httpx2.NetworkError, httpx2.RemoteProtocolError, httpx2.ProxyError) as error:
        words = {
            httpx2.TimeoutException: "the server timed out",
            httpx2.RemoteProtocolError: "the connection was lost",
        }
        kind = next((kind for kind in words if isinstance(error, kind)), None)
        raise Unreachable(words[kind] if kind else "no connection") from None
    except errors.OfflineModeIsEnabled:
        raise Unavailable("HF_HUB_OFFLINE is set") from None
    except errors.HFValidationError:
        raise Unavailable("that is not a valid repository name") from None
    except httpx2.HTTPError as error:
        raise Unavailable(_answer(error)) from None


def _answer(error: Exception) -> str:
    from huggingface_hub import errors

    response = getattr(error, "response", None)
    status = getattr(response, "status_code", 0)
    if isinstance(error, errors.GatedRepoError):
        return "access is gated; request it on the repository's page and set HF_TOKEN"
    if isinstance(error, errors.RevisionNotFoundError | errors.RemoteEntryNotFoundError):
        return "it no longer exists"
    if isinstance(error, errors.RepositoryNotFoundError) or status in (401, 403):
        return "it doesn't exist, or needs an HF_TOKEN with read access"
    if status == 429:
        wait = response.headers.get("Retry-After", "") if response is not None else ""
        return f"too many requests, try again {f'in {wait} s' if wait.isdecimal() else 'later'}"
    return (
        f"it answers {status}, try again later" if status >= 500 else f"it answers {status}" if status else "no answer"
    )
