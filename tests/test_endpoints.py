"""The endpoints, called as programs call them: by gradio_client, by HTTP, and as MCP tools."""

import asyncio
import base64
import io
import json
import re
import shutil
import subprocess
import time
import urllib.request
from pathlib import Path

import httpx
import numpy as np
import pytest
from browser import ROOT
from conftest import picture
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from gradio_client.utils import Status
from PIL import Image

from ui.serving.uploads import REFUSED
from ui.tabs import compare

FEW = 30  # steps of Gatys at 256 pixels, which still count as a long run
ENDPOINTS = {  # by name its description's first words and its first parameters
    "/stylize": ("Show a photograph in the style of one to four paintings", ["content", "style", "style_2"]),
    "/compare": ("Run several methods on one pair", ["content", "style", "methods"]),
    "/regions": ("Stylize parts of a photograph in different styles", ["content", "label_map", "style"]),
    "/control": ("Show a photograph in a painting's style at every value", ["content", "style", "show"]),
}


def read(path) -> Image.Image:
    with Image.open(path) as image:
        image.load()
        return image


def test_every_tab_has_one_with_names_and_words(client):
    found = client.view_api(return_format="dict")["named_endpoints"]
    assert set(found) == set(ENDPOINTS)
    for name, (words, first) in ENDPOINTS.items():
        assert found[name]["description"].startswith(words)
        parameters = found[name]["parameters"]
        assert [each["parameter_name"] for each in parameters][:3] == first
        assert not any(each["parameter_has_default"] for each in parameters[:2])
        assert all(each["parameter_has_default"] for each in parameters[2:])


class TestStylize:
    def test_a_picture_and_its_record(self, client, files):
        path, record = client.predict(content=files[0], style=files[1], alpha=0.5, size=256, api_name="/stylize")
        with Image.open(path) as image:
            assert image.format == "PNG" and image.size == (256, 191)
            assert json.loads(image.text["adain"]) == record
        assert (record["alpha"], record["model"], record["weights"]) == (0.5, "compact", [1.0])

    def test_styles_are_mixed_by_their_shares(self, client, files):
        given = {"content": files[0], "style": files[1], "size": 256, "api_name": "/stylize"}
        _, record = client.predict(**given, style_3=files[2], share_1=0.9, share_3=0.3)
        assert record["weights"] == pytest.approx([0.75, 0.25])

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"alpha": 1.5}, "1.5"),
            ({"size": 9000}, "9000"),
            ({"style_size": 9999}, "9999"),
            ({"model": "none"}, "none"),
            ({"share_1": 0.0}, "The weights 0 sum to 0; they must sum to more than 0."),
            ({"model": "vgg19"}, "vgg19"),
        ],
    )
    def test_out_of_bounds_is_refused_on_the_server(self, client, files, change, message):
        given = {"content": files[0], "style": files[1], "size": 256, **change}
        with pytest.raises((AppError, ValueError), match=re.escape(message)):
            client.predict(**given, api_name="/stylize")

    def test_a_bad_file_gets_a_sentence_without_a_path(self, client, files, tmp_path):
        (tmp_path / "bad.png").write_bytes(b"no picture")
        with pytest.raises(AppError) as error:
            client.predict(content=handle_file(str(tmp_path / "bad.png")), style=files[1], api_name="/stylize")
        assert "Content: This file is not a picture" in str(error.value)
        assert "/" not in str(error.value).replace("and/or", "")

    @pytest.mark.parametrize(
        "path", [str(ROOT / "app.py"), "/etc/hostname", "http://127.0.0.1:9/a.png", "https://example.com/a.png"]
    )
    def test_nothing_is_read_or_fetched_because_a_visitor_asked(self, url, path):
        data = [{"path": path, "meta": {"_type": "gradio.FileData"}}] * 2 + [None] * 3 + [1] * 5 + [512, 512, "compact"]
        request = urllib.request.Request(
            f"{url}gradio_api/call/stylize", json.dumps({"data": data}).encode(), {"Content-Type": "application/json"}
        )
        event = json.load(urllib.request.urlopen(request))["event_id"]
        answer = urllib.request.urlopen(f"{url}gradio_api/call/stylize/{event}").read().decode()
        assert answer.startswith("event: error")
        assert str(ROOT) not in answer

    def test_another_method_with_its_own_options(self, client, files):
        given = {"content": files[0], "style": files[1], "size": 64, "api_name": "/stylize"}
        _, record = client.predict(**given, method="gatys", options={"steps": 2})
        assert (record["method"], record["steps"]) == ("gatys", 2)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"options": {"stps": 3}}, "AdaIN has no option stps; it has alpha."),
            ({"options": [3]}, "options must map names to values"),
            ({"method": "gatys", "options": {"steps": 30_000}}, "steps is 30000, but it must be from 1 to 2000."),
            ({"method": "gatys", "options": {"seconds": 1000}}, "Gatys has no option seconds"),
        ],
    )
    def test_wrong_options_are_refused(self, client, files, change, message):
        given = {"content": files[0], "style": files[1], "size": 64, **change}
        with pytest.raises(AppError, match=re.escape(message)):
            client.predict(**given, api_name="/stylize")


class TestRegions:
    @pytest.fixture
    def label_map(self, tmp_path):
        """Region 1 on the left, region 3 at the top right."""
        labels = np.zeros((67, 90), np.uint8)
        labels[:, :45], labels[:33, 45:] = 1, 3
        Image.fromarray(labels).save(tmp_path / "labels.png")
        return handle_file(str(tmp_path / "labels.png"))

    def test_a_part_takes_its_style_and_the_others_stay(self, client, files, label_map):
        given = {"content": files[0], "label_map": label_map, "style_1": files[1], "feather": 0, "size": 90}
        path, record = client.predict(**given, strengths={"1": 0.5}, api_name="/regions")
        assert record["regions"] == {"1": {"styles": 1, "strength": 0.5}, "3": {"styles": 0, "strength": 1.0}}
        before, after = (np.asarray(each.convert("RGB"), int) for each in (picture(90, 67, 1), read(path)))
        gap = np.abs(before - after).mean(2)
        assert gap[:, :40].mean() > 5 and gap[:, 50:].max() == 0

    @pytest.mark.parametrize(
        ("strengths", "message"),
        [
            ({"2": 1}, "strengths names region 2, which is not in the label map."),
            ({"1": "full"}, "A strength is full, but it must be a number from 0 to 1."),
            ([1], "strengths must map names to values"),
        ],
    )
    def test_wrong_strengths_are_refused(self, client, files, label_map, strengths, message):
        given = {"content": files[0], "label_map": label_map, "style_1": files[1], "size": 64}
        with pytest.raises(AppError, match=re.escape(message)):
            client.predict(**given, strengths=strengths, api_name="/regions")


def test_a_control_under_every_value(client, files):
    path, records = client.predict(files[0], files[1], show="Strengths", api_name="/control")
    assert [record["alpha"] for record in records.values()] == [0.0, 0.25, 0.5, 0.75, 1.0]
    assert list(records)[1] == "strength 0.25" and read(path).width > 1000


class TestCompare:
    def test_a_sheet_and_its_measurements(self, client, files):
        given = {"methods": ["gatys", "adain"], "size": 64, "options": {"gatys": {"steps": 2}}}
        path, results = client.predict(files[0], files[1], **given, api_name="/compare")
        assert [row["name"] for row in results["rows"]] == ["", "adain", "gatys"]  # the photograph first
        assert results["outputs"]["gatys"]["iterations"] == 2 and read(path).width > 300

    def test_nothing_stays_that_gradio_would_not_delete(self, files, tmp_path, monkeypatch):
        monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "cache"))
        *_, (path, _) = compare.compare_api(files[0]["path"], files[1]["path"], ["adain"], 64)
        assert [each for each in (tmp_path / "cache").rglob("*") if each.is_file()] == [Path(path)]

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"methods": []}, "Choose at least one method."),
            ({"options": {"gatys": {"stps": 2}}}, "Gatys has no option stps"),
            ({"options": {"nope": {}}}, "There is no method nope; there are "),
            ({"methods": ["adain"], "options": {"gatys": {}}}, "There are options for gatys, which is not compared;"),
            ({"seconds": 100.0}, "100"),
        ],
    )
    def test_excessive_requests_are_refused(self, client, files, change, message):
        with pytest.raises((AppError, ValueError), match=re.escape(message)):
            client.predict(files[0], files[1], size=64, **change, api_name="/compare")


def test_the_queue_is_bounded_and_says_how_long(tools, files):
    client = Client(tools, verbose=False)
    given = {"content": files[0], "style": files[1], "size": 256, "method": "gatys", "api_name": "/stylize"}
    endless = {**given, "options": {"steps": 2000}}  # until it is stopped, or after 120 s

    async def told(job, code):
        return await anext(update async for update in job if update.type == "status" and update.code == code)

    async def three():
        long = client.submit(**endless)
        await told(long, Status.PROCESSING)
        waiting = client.submit(**endless)
        await told(waiting, Status.PROCESSING)  # Gradio's queue let it in
        waits = await told(waiting, Status.IN_QUEUE)
        with pytest.raises(AppError, match=re.escape("The queue is full (waiting runs: 1)")):
            client.predict(**endless)
        client.predict(**{**given, "method": "adain"})  # a short run waits for no long one
        assert not long.done() and long.cancel() and waiting.cancel()
        return waits, client.predict(**given, options={"steps": FEW})

    start = time.monotonic()
    waits, result = asyncio.run(three())
    assert waits.rank == 0 and waits.eta > 1 and len(result) == 2 and time.monotonic() - start < 110


class TestDirectCalls:
    """What is posted past the queue is refused."""

    @pytest.mark.parametrize("name", ["run", "api"])
    def test_an_endpoint(self, url, name):
        answer = httpx.post(f"{url}gradio_api/{name}/stylize", json={"data": []})
        assert answer.status_code == 404 and "Please join the queue" in answer.json()["detail"]

    def test_every_function_that_computes(self, url):
        found = [each for each in httpx.get(f"{url}config").json()["dependencies"] if each["queue"]]
        assert len(found) >= 10
        for each in found:
            given = {"fn_index": each["id"], "data": [None] * len(each["inputs"]), "session_hash": "x"}
            assert httpx.post(f"{url}gradio_api/run/predict", json=given).status_code == 404


class TestProgramsThatLeave:
    """Their runs end within seconds, and the next one begins."""

    @pytest.fixture
    def begin(self, tools, files):
        """Begin a run of Gatys and return where its events are."""
        pictures = {}
        for name, file in zip(("content", "style"), files, strict=False):
            content = Path(file["path"]).read_bytes()
            (path,) = httpx.post(f"{tools}gradio_api/upload", files={"files": ("a.png", content)}, timeout=60).json()
            pictures[name] = {"path": path, "meta": {"_type": "gradio.FileData"}}
        address = f"{tools}gradio_api/call/v2/stylize"

        def call(steps: int) -> str:
            given = {**pictures, "method": "gatys", "size": 256, "options": {"steps": steps}}
            return f"{address}/{httpx.post(address, json=given, timeout=60).json()['event_id']}"

        return call

    @staticmethod
    def events(address: str) -> str:
        return httpx.get(address, timeout=100).text

    @pytest.mark.parametrize("meta", [{}, {"progressToken": 1}])
    def test_the_client_of_a_tool_hangs_up(self, tools, files, meta):
        content = base64.b64encode(Path(files[0]["path"]).read_bytes()).decode()
        data = f"data:image/png;base64,{content}"
        given = {"content": data, "style": data, "method": "gatys", "size": 256, "options": {"steps": 2000}}
        call = {"name": "stylize", "arguments": given, "_meta": meta}
        request = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call}
        accept = {"Accept": "application/json, text/event-stream"}
        address = f"{tools}gradio_api/mcp/"
        start = time.monotonic()
        with httpx.stream("POST", address, json=request, headers=accept, timeout=60) as answer:
            assert answer.status_code == 200
            time.sleep(3)  # until it computes
        given["options"] = {"steps": FEW}
        done = httpx.post(address, json=request, headers=accept, timeout=100).text
        assert time.monotonic() - start < 80 and f"'iteration': {FEW}" in done and '"isError":false' in done

    def test_one_hangs_up(self, begin):
        with httpx.stream("GET", begin(2000), timeout=60):
            other = begin(FEW)
        start = time.monotonic()
        assert "event: complete" in self.events(other)
        assert time.monotonic() - start < 60  # not after the 120 s that the first one would take

    def test_one_never_listens(self, begin):
        silent, start = begin(2000), time.monotonic()
        assert "event: complete" in self.events(begin(FEW))
        assert time.monotonic() - start < 80
        assert "The client stopped listening, so this run was ended." in self.events(silent)


class TestDocs:
    """The examples of docs/api.md, as they are printed there, but for the address."""

    @pytest.fixture
    def example(self, url, files, tmp_path, monkeypatch):
        (tmp_path / "photo.png").rename(tmp_path / "photo.jpg")
        (tmp_path / "painting.png").rename(tmp_path / "painting.jpg")
        monkeypatch.chdir(tmp_path)
        text = (ROOT / "docs/api.md").read_text(encoding="utf-8").partition("## MCP")[0]
        assert files and text.count("http://127.0.0.1:7860") == 2
        return text.replace("http://127.0.0.1:7860", url.rstrip("/"))

    def test_python(self, example):
        found = {}
        exec(re.search("```python\n(.*?)```", example, re.DOTALL)[1], found)
        assert found["record"]["alpha"] == 0.8 and read(found["picture"]).size == (512, 381)

    @pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not here")
    def test_curl(self, example):
        script = "".join(re.findall("^    (.*\n)", example, re.MULTILINE))
        done = subprocess.run(["bash", "-c", script], capture_output=True, text=True)
        answer = re.fullmatch("event: complete\ndata: (.*)\n+", done.stdout)
        picture, record = json.loads(answer[1])
        assert record["method"] == "adain"
        made = Image.open(io.BytesIO(httpx.get(picture["url"]).content))
        assert made.size == (512, 381)


class TestMcp:
    @staticmethod
    def call(address: str, *calls: tuple[str, dict]) -> list:
        """Return what tools answer, the list of all of them first."""
        from mcp import ClientSession
        from mcp.client.streamable_http import streamable_http_client

        async def talk() -> list:
            async with streamable_http_client(f"{address}gradio_api/mcp/") as (read, write, _):
                async with ClientSession(read, write) as session:
                    await session.initialize()
                    answers = [(await session.list_tools()).tools]
                    return answers + [await session.call_tool(name, given) for name, given in calls]

        return asyncio.run(talk())

    def test_every_endpoint_is_one_with_its_words(self, tools):
        (found,) = self.call(tools)
        assert {f"/{tool.name}" for tool in found} == set(ENDPOINTS)
        for tool in found:
            assert tool.description.startswith(ENDPOINTS[f"/{tool.name}"][0])
            assert "image file" in tool.inputSchema["properties"]["content"]["description"]

    def test_pictures_come_as_data_or_as_uploads(self, tools, tmp_path):
        picture(90, 67, 1).save(tmp_path / "photo.png")
        content = (tmp_path / "photo.png").read_bytes()
        data = f"data:image/png;base64,{base64.b64encode(content).decode()}"
        (path,) = httpx.post(f"{tools}gradio_api/upload", files={"files": ("a.png", content)}).json()
        uploaded = f"{tools}gradio_api/file={path}"
        _, answer = self.call(tools, ("stylize", {"content": data, "style": uploaded, "size": 64}))
        shown, address, record = answer.content
        assert not answer.isError and "'method': 'adain'" in record.text
        made = base64.b64decode(shown.data)
        assert Image.open(io.BytesIO(made)).size == (64, 48)
        assert httpx.get(address.text.removeprefix("Image URL: ")).status_code == 200
        assert "'path'" not in str(answer)

    @pytest.mark.parametrize(
        "address",
        ["http://127.0.0.1:9/a.png", "http://127.0.0.1/gradio_api/file=/etc/hostname", f"file://{Path(__file__)}"],
    )
    def test_nothing_else_is_read_or_fetched(self, tools, address):
        _, answer = self.call(tools, ("stylize", {"content": address, "style": address, "size": 64}))
        assert answer.isError
        assert re.search("other files and URLs are not accepted|Invalid file data format", answer.content[0].text)

    @pytest.mark.parametrize("path", [__file__, "/there-is-none"])
    def test_no_file_of_the_server_is_taken_for_the_visitor_s(self, tools, path):
        """Gradio's client in the server would upload it."""
        data = f"data:image/png;base64,{base64.b64encode(b'no picture').decode()}"
        given = {"content": data, "style": data, "options": {"a": {"path": path, "meta": {"_type": "gradio.FileData"}}}}
        _, answer = self.call(tools, ("stylize", given))
        assert answer.isError and answer.content[0].text == REFUSED
