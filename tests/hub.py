"""A small Hub on loopback, which can be told to fail in every way, and small weights of the paper's layout for it.

`python tests/hub.py FOLDER ...` is the command line, its table of weights replaced by one that knows the folder's.
"""

import base64
import contextlib
import dataclasses
import functools
import hashlib
import json
import os
import re
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import torch
from safetensors.torch import save_file

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from adain_core import weights  # noqa: E402
from adain_core.networks.vgg import Decoder, Encoder  # noqa: E402
from adain_core.weights.hub import Source  # noqa: E402

WIDTHS = (4, 6, 8, 10)
DEEP = (*WIDTHS, 12)
COMMIT = "0123456789abcdef0123456789abcdef01234567"
ENCODER, DECODER, IMAGENET = "vgg_normalised.pth", "decoder.pth", "model.safetensors"
SOURCES = {
    ENCODER: (
        Source("a/first", ENCODER),
        Source("b/second", f"checkpoints/{ENCODER}", "dataset"),
        Source("c/third", ENCODER, "space"),
    ),
    DECODER: (Source("d/fourth", DECODER, "space"), Source("e/fifth", DECODER)),
    IMAGENET: (Source("f/sixth", IMAGENET), Source("g/seventh", IMAGENET)),
}
FIRST, SECOND, THIRD = "/a/first", "/datasets/b/second", "/spaces/c/third"


def numbered(state: dict, step: int = 3) -> dict:
    """The layout of nn.Sequential files: layers go by numbers with gaps."""
    layers = list(dict.fromkeys(name.partition(".")[0] for name in state))
    return {
        f"{layers.index(name.partition('.')[0]) * step}.{name.partition('.')[2]}": each for name, each in state.items()
    }


def torchvisions(state: dict) -> dict:
    """torchvision's layout: numbered from conv1_1 behind `features.`, with more convolutions and a classifier."""
    own = numbered({name: each for name, each in state.items() if not name.startswith("conv0")})
    more = {"features.90.weight": torch.ones(DEEP[-1], DEEP[-1], 3, 3), "features.90.bias": torch.ones(DEEP[-1])}
    big = {"pre_logits.fc1.weight": torch.ones(300, 300), "head.fc.weight": torch.ones(300, 300)}
    return {**{f"features.{name}": each for name, each in own.items()}, **more, **big}


def changed(row: weights.Model, role: str, **known) -> weights.Model:
    """A row of the table that knows something else of a part's file."""
    parts = [
        dataclasses.replace(part, file=dataclasses.replace(part.file, **known)) if part.role == role else part
        for part in row.parts
    ]
    return dataclasses.replace(row, parts=tuple(parts))


def make(folder: Path) -> dict[str, dict]:
    """Write small weights; return the states that they hold, by role, and the ImageNet encoder's as `imagenet`."""
    torch.manual_seed(3)
    states = {"encoder": Encoder(WIDTHS).state_dict(), "decoder": Decoder(WIDTHS).state_dict()}
    states["imagenet"] = Encoder(DEEP, weights.table.DEEPEST).state_dict()
    torch.save(numbered(states["encoder"]), folder / ENCODER)
    torch.save(numbered(states["decoder"]), folder / DECODER)
    save_file(torchvisions(states["imagenet"]), folder / IMAGENET)
    return states


def rows(folder: Path, release: str = "") -> dict[str, weights.Model]:
    """The table's rows for the folder's weights; `release` is the address of a server that isn't the Hub."""
    paper, imagenet = (weights.MODELS[name] for name in ("vgg19", "vgg19-imagenet"))
    parts = []
    for part, name, build in zip(paper.parts, (ENCODER, DECODER), (Encoder, Decoder), strict=True):
        data = (folder / name).read_bytes()
        last = (Source("release", name, address=f"{release}/release/{name}"),) if release else ()
        known = {"sha256": hashlib.sha256(data).hexdigest(), "sources": SOURCES[name] + last}
        known["size"] = len(data) if part.role == "encoder" else None
        file = dataclasses.replace(part.file, **known)
        parts.append(dataclasses.replace(part, file=file, build=functools.partial(build, WIDTHS)))
    (whole,) = imagenet.parts
    cut = dataclasses.replace(whole.file, sources=SOURCES[IMAGENET])
    deep = dataclasses.replace(whole, file=cut, build=lambda: Encoder(DEEP, weights.table.DEEPEST))
    return {
        "vgg19": dataclasses.replace(paper, parts=tuple(parts)),
        "vgg19-imagenet": dataclasses.replace(imagenet, parts=(deep,)),
    }


class Hub:
    """The server: files by path, a fault for each repository that has one, and what it was asked.

    Faults: `wrong bytes`, `other file`, `wrong size`, `truncated once`, `truncated`, `hanging`, `silent`, `slow`,
    `html`, `no commit`, `redirect`, `whole`, `other range`, `paused`, `gated`, or a status.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.faults: dict[str, str | int] = {}
        self.asked: list[tuple[str, str, dict]] = []  # method, path, headers
        self.made: list[dict] = []
        self.uploaded: dict[str, bytes] = {}
        self.paused, self.go = threading.Event(), threading.Event()
        self.servers = [ThreadingHTTPServer(("127.0.0.1", 0), self._handler()) for _ in range(2)]
        for server in self.servers:
            server.daemon_threads = True
            threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        self.endpoint = f"http://127.0.0.1:{self.servers[0].server_port}"
        self.other = f"http://localhost:{self.servers[1].server_port}"  # another host, as for a browser

    def close(self) -> None:
        self.go.set()
        for server in self.servers:
            server.shutdown()
            server.server_close()

    def got(self, method: str = "GET", name: str = "") -> list[str]:
        """The paths that were asked for with a method."""
        return [path for asked, path, _ in self.asked if asked == method and name in path]

    def _handler(hub) -> type[BaseHTTPRequestHandler]:  # noqa: N805
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_given):
                pass

            def do_HEAD(self):
                self.answer(head=True)

            def do_GET(self):
                self.answer(head=False)

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                hub.asked.append((self.command, self.path, {k.lower(): v for k, v in self.headers.items()}))
                if isinstance(fault := hub.faults.get("/api"), int):
                    hub._send(self, fault, {}, b"", False)
                else:
                    hub._send(self, 200, {"Content-Type": "application/json"}, hub._take(self.path, body), False)

            def answer(self, head: bool):
                if self.path.startswith("/api/"):  # what huggingface_hub asks once a day for statistics
                    return hub._send(self, 404, {}, b"", head)
                hub.asked.append((self.command, self.path, {k.lower(): v for k, v in self.headers.items()}))
                repo, _, name = self.path.partition("/resolve/main/")
                fault = hub.faults.get(repo if name else "/release")
                with contextlib.suppress(ConnectionError):
                    return hub._answer(self, head, fault, Path(name or self.path).name)

        return Handler

    def _answer(self, request, head: bool, fault, name: str) -> None:
        if "/resolve/" in request.path and "/resolve/main/" not in request.path:
            return self._send(request, 404, {"X-Error-Code": "RevisionNotFound"}, b"", head)
        if not (self.folder / name).is_file():
            return self._send(request, 404, {}, b"", head)
        data = (self.folder / name).read_bytes()
        etag, on_hub = hashlib.sha256(data).hexdigest(), "/resolve/" in request.path
        headers = {"ETag": f'"{etag}"', "X-Repo-Commit": COMMIT} if on_hub else {}
        if isinstance(fault, int) or fault == "gated":
            codes = {401: "RepoNotFound", 404: "EntryNotFound", "gated": "GatedRepo"}
            headers |= {"X-Error-Code": codes[fault]} if fault in codes else {}
            headers |= {"Retry-After": "30"} if fault == 429 else {}
            return self._send(request, 403 if fault == "gated" else fault, headers, b"", head)
        if fault == "silent":
            self.go.wait()
            return None
        if fault == "redirect" and on_hub and not request.path.startswith("/cdn"):
            headers |= {"X-Linked-ETag": headers["ETag"], "X-Linked-Size": str(len(data))}
            headers["Location"] = f"{self.other}/cdn{request.path}"
            return self._send(request, 302, headers, b"", head)
        if fault == "other file":
            headers["ETag"] = f'"{"0" * 64}"'
        if fault == "no commit":
            del headers["X-Repo-Commit"]
        if fault == "html":
            headers, data = {"Content-Type": "text/html"}, b"<html>Please log in.</html>"
        if fault == "wrong bytes":
            data = data[: len(data) // 2] + bytes(len(data) - len(data) // 2)
        if fault == "wrong size":
            data += b"more"
        return self._body(request, fault, headers, data, head)

    def _take(self, path: str, body: bytes) -> bytes:
        """What the Hub answers to one who makes a repository or uploads files; they end up in `uploaded`."""
        answer = {}
        if path.endswith("/create"):
            about = json.loads(body)
            self.made.append(about)
            answer = {"url": f"{self.endpoint}/{about['organization']}/{about['name']}"}
        elif "/preupload/" in path:
            files = [each["path"] for each in json.loads(body)["files"]]
            answer = {"files": [{"path": each, "uploadMode": "regular", "shouldIgnore": False} for each in files]}
        elif "/commit/" in path:
            for line in map(json.loads, body.splitlines()):
                if line["key"] == "file":
                    self.uploaded[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
            repo = path.split("/commit/")[0].removeprefix("/api/").removeprefix("models/")
            answer = {"commitUrl": f"{self.endpoint}/{repo}/commit/{COMMIT}", "commitOid": COMMIT, "hookOutput": ""}
        return json.dumps(answer).encode()

    def _body(self, request, fault, headers: dict, data: bytes, head: bool) -> None:
        first, last, status = 0, len(data), 200
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("Range", ""))
        if wanted and not head and fault != "whole":
            if int(wanted[1]) >= len(data):
                return self._send(request, 416, {}, b"", head)
            first, last, status = int(wanted[1]), min(len(data), int(wanted[2] or len(data) - 1) + 1), 206
            first += fault == "other range"
            headers["Content-Range"] = f"bytes {first}-{last - 1}/{len(data)}"
        body = data[first:last]
        half = {"truncated": len(data) // 2, "hanging": len(data) // 2, "truncated once": len(data) // 2}
        if fault == "truncated once" and len(self.got(name=request.path)) > 1:
            fault = None
        self._send(request, status, headers, body[: max(0, half[fault] - first)] if fault in half else body, head,
                   len(body), fault)  # fmt: skip

    def _send(self, request, status, headers, body, head, length=None, fault=None) -> None:
        request.send_response(status)
        for name, value in headers.items():
            request.send_header(name, value)
        request.send_header("Content-Length", str(len(body) if length is None else length))
        request.end_headers()
        if head:
            return
        if fault in ("paused", "slow"):  # half, and the rest when the test says so, or a little later
            request.wfile.write(body[: len(body) // 2])
            request.wfile.flush()
            self.paused.set()
            self.go.wait(None if fault == "paused" else 0.05)
            body = body[len(body) // 2 :]
        request.wfile.write(body)
        request.wfile.flush()
        if fault == "hanging":
            self.go.wait()
        if length is not None and len(body) < length:
            request.close_connection = True


def main() -> None:
    """The command line on small weights."""
    from adain_core import __main__ as cli

    weights.MODELS.update(rows(Path(sys.argv.pop(1)), os.environ.get("FAKE_RELEASE", "")))
    cli.main()


if __name__ == "__main__":
    main()
