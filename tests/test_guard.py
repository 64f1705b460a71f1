"""What stands before the page: visitors and their bounds, names and headers, sentences in place of tracebacks."""

import errno
import logging
import types

import httpx
import pytest
from PIL import Image
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import FileResponse, JSONResponse, StreamingResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from ui import server
from ui.serving import guard

TABS = ("Compare", "Controls", "Regions", "Stylize")
FAULTS = {"missing": KeyError(9999), "full": OSError(errno.ENOSPC, "full"), "gone": ClientDisconnect()}
FAULTS["none"] = HTTPException(404, "Not Found")


async def answer(request):
    path = request.url.path
    await request.body()
    if fault := FAULTS.get(path.rpartition("/")[2]):
        raise fault
    if path.endswith("/stream"):
        return StreamingResponse(breaking())
    if path.endswith("/wrong"):
        return JSONResponse({"detail": [{"loc": ["body"]}]}, 422)
    if path.endswith(("/null", "/said")):
        return JSONResponse({"error": "Choose a photograph first." if path.endswith("/said") else None}, 500)
    if path.startswith(guard.FILE):
        return FileResponse(path.removeprefix(guard.FILE))
    return JSONResponse({"visitor": guard.visitor(request.scope), "url": str(request.url), **request.headers})


async def breaking():
    yield b"data: 1\n\n"
    raise KeyError("session")


def site(address="192.0.2.1", **options) -> TestClient:
    """A server behind the guard, as a visitor of an address sees it."""
    route = Route("/{path:path}", answer, methods=["GET", "POST"])
    layers = guard.layers(**{"proxies": 0, "hosts": None, "runs": 0, **options})
    return TestClient(Starlette(routes=[route], middleware=layers), client=(address, 1))


class TestVisitors:
    @pytest.mark.parametrize(
        ("proxies", "sent", "visitor"),
        [
            (0, "203.0.113.9", "192.0.2.1"),
            (1, "203.0.113.9", "203.0.113.9"),
            (1, "made up, 198.51.100.7, 203.0.113.9", "203.0.113.9"),
            (2, "made up, 198.51.100.7, 203.0.113.9", "198.51.100.7"),
            (1, "203.0.113.9:4711", "203.0.113.9"),
            (1, "[2001:db8::7]:4711", "2001:db8::/64"),
            (1, "::ffff:203.0.113.9", "203.0.113.9"),
            (1, "made up", "192.0.2.1"),
            (1, "", "192.0.2.1"),
        ],
    )
    def test_proxies_are_counted_from_the_right(self, proxies, sent, visitor):
        found = site(proxies=proxies).get("/", headers={"X-Forwarded-For": sent}).json()
        assert found["visitor"] == visitor

    def test_several_headers_are_one_list(self):
        headers = [("X-Forwarded-For", "198.51.100.7"), ("X-Forwarded-For", "203.0.113.9")]
        assert site(proxies=1).get("/", headers=headers).json()["visitor"] == "203.0.113.9"

    def test_forged_addresses_are_dropped(self):
        said = {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https", "X-Gradio-Server": "evil.example"}
        found = site().get("/", headers=said).json()
        assert not {name.lower() for name in said} & set(found) and found["url"] == "http://testserver/"
        said = {"X-Forwarded-Host": "evil.example, mine.example", "X-Forwarded-Proto": "https"}
        found = site(proxies=1).get("/", headers=said).json()
        assert found["x-forwarded-host"] == "mine.example" and found["url"] == "https://testserver/"

    def test_a_tool_s_call_is_its_caller_s(self, monkeypatch):
        """Gradio calls the endpoint from this machine, by a client of its own."""
        mcp = pytest.importorskip("gradio.mcp")
        inner = mcp.GradioMCPServer
        monkeypatch.setattr(mcp, "DEFAULT_TEMP_DIR", "")
        monkeypatch.setattr(inner, "_execute_tool_without_progress", None)
        monkeypatch.setattr(inner, "_prepare_tool_call_args", lambda *_: ("/stylize", [], {"accept": "*/*"}, None))
        server.prepare_tools()
        request = types.SimpleNamespace(client=types.SimpleNamespace(host="203.0.113.9"))
        context = types.SimpleNamespace(request_context=types.SimpleNamespace(request=request))
        tools = types.SimpleNamespace(mcp_server=context)
        headers = inner._prepare_tool_call_args(tools, "stylize", {})[2]
        for proxies in (0, 1):
            found = site("127.0.0.1", proxies=proxies).get("/", headers=headers).json()
            assert found["visitor"] == "203.0.113.9" and guard.CALLER not in found

    def test_how_many_proxies_there_are(self, monkeypatch):
        for name in ("SPACE_ID", "FORWARDED_ALLOW_IPS"):
            monkeypatch.delenv(name, raising=False)
        assert [guard.proxies(None, share=False), guard.proxies(None, share=True), guard.proxies(3, True)] == [0, 1, 3]
        monkeypatch.setenv("SPACE_ID", "someone/playground")
        assert guard.proxies(None, share=False) == 1
        assert guard.proxies(0, share=False) == 0


class TestRateLimit:
    def test_each_visitor_has_so_many_runs_a_minute(self, monkeypatch):
        now = [1000.0]
        monkeypatch.setattr(guard.time, "monotonic", lambda: now[0])
        one = site(runs=2, proxies=1)
        other = {"X-Forwarded-For": "192.0.2.2"}
        paths = ["/gradio_api/queue/join", "/gradio_api/call/v2/stylize"]
        assert [one.post(path).status_code for path in paths] == [200, 200]
        now[0] += 20
        refused = one.post("/gradio_api/call/stylize")
        assert refused.status_code == 429 and refused.headers["Retry-After"] == "40"
        words = "This server allows 2 runs per minute and visitor; try again in 40 s."
        assert refused.json() == {"detail": words, "error": words}
        assert one.post("/gradio_api/queue/join", headers=other).status_code == 200
        assert one.get("/gradio_api/queue/data").status_code == one.post("/gradio_api/upload").status_code == 200
        now[0] += 40
        assert one.post("/gradio_api/queue/join").status_code == 200

    def test_made_up_addresses_do_not_get_past_it(self):
        made_up = ({"X-Forwarded-For": f"203.0.113.{number}, 192.0.2.1"} for number in range(3))
        visits = site(runs=2, proxies=1)
        assert [visits.post("/queue/join", headers=each).status_code for each in made_up] == [200, 200, 429]

    def test_zero_runs_are_any_number(self):
        visits = site(runs=0)
        assert {visits.post("/queue/join").status_code for _ in range(400)} == {200}

    @pytest.mark.parametrize(
        "path", ["/gradio_api/upload", "/gradio_api/cancel", "/gradio_api/component_server", "/run/x"]
    )
    def test_other_posts_have_a_bound_of_their_own(self, monkeypatch, path):
        monkeypatch.setattr(guard, "OTHERS", 2)
        visits = site(runs=1)
        assert [visits.post(path).status_code for _ in range(3)] == [200, 200, 429]
        assert visits.post("/queue/join").status_code == 200

    def test_logins_have_the_smallest(self):
        visits = site()
        assert [visits.post("/login").status_code for _ in range(21)] == [200] * 20 + [429]


class TestBodies:
    def test_large_bodies_are_refused(self, monkeypatch):
        monkeypatch.setitem(guard.BODIES, "", 2 * guard.MEGABYTE)
        visits = site()
        refused = visits.post("/queue/join", content=b" " * (2 * guard.MEGABYTE + 1))
        assert refused.status_code == 413 and "larger than 2 MB" in refused.json()["detail"]
        assert visits.post("/run/predict", content=b" " * guard.MEGABYTE).status_code == 200
        assert visits.post("/gradio_api/upload", content=b" " * 3 * guard.MEGABYTE).status_code == 200

    def test_json_is_small_since_all_wait_while_it_is_read(self):
        body = b" " * (guard.MEGABYTE + 1)
        assert site().post("/gradio_api/run/predict", content=body).status_code == 413
        assert site().post("/gradio_api/component_server", content=body).status_code == 200

    def test_one_of_unknown_length_is_refused_when_it_is_too_large(self, monkeypatch):
        monkeypatch.setitem(guard.BODIES, "", 2 * guard.MEGABYTE)
        refused = site().post("/run/predict", content=(b" " * guard.MEGABYTE for _ in range(3)))
        assert refused.status_code == 413 and "larger than 2 MB" in refused.text
        assert site().post("/run/predict", content=(b" " * guard.MEGABYTE for _ in range(2))).status_code == 200

    def test_uploads_leave_some_of_the_disk_free(self, monkeypatch):
        monkeypatch.setattr(guard, "SPARE", 2**60)
        refused = site().post("/gradio_api/upload")
        assert (refused.status_code, refused.json()["detail"]) == (507, guard.FULL)


class TestHosts:
    @pytest.mark.parametrize(
        ("name", "taken"),
        [
            ("127.0.0.1:7860", True),
            ("localhost", True),
            ("[::1]:7860", True),
            ("LOCALHOST.:80", True),
            ("evil.example", False),
            ("127.0.0.1.evil.example", False),
            ("localhost.evil.example:7860", False),
            ("0.0.0.0:7860", False),
            ("", False),
        ],
    )
    def test_on_loopback_it_has_loopbacks_names_alone(self, name, taken):
        found = site(hosts=guard.hosts(None, "127.0.0.1", share=False)).get("/", headers={"Host": name})
        assert found.status_code == (200 if taken else 403)
        assert taken or found.json()["detail"].startswith("This server does not answer for that host name;")

    @pytest.mark.parametrize(
        ("name", "taken"),
        [("a.org", True), ("x.b.org:80", True), ("192.0.2.5", True), ("b.org", False), ("xa.org", False)],
    )
    def test_elsewhere_those_that_are_given(self, name, taken):
        visits = site(hosts=guard.hosts("A.org, *.b.org", "192.0.2.5", share=False))
        assert visits.get("/", headers={"Host": name}).status_code == (200 if taken else 403)

    def test_behind_a_proxy_the_name_that_it_was_asked_for_counts(self):
        visits = site(proxies=1, hosts=["a.org"])
        said = {"Host": "127.0.0.1", "X-Forwarded-Host": "evil.example"}
        assert visits.get("/", headers=said).status_code == 403
        assert visits.get("/", headers={**said, "X-Forwarded-Host": "a.org"}).status_code == 200

    @pytest.mark.parametrize(
        ("origin", "taken"), [("http://localhost:3000", True), ("https://evil.example", False), ("null", False)]
    )
    def test_other_sites_pages_post_nothing(self, origin, taken):
        visits = site(hosts=[])
        headers = {"Host": "localhost", "Origin": origin}
        assert visits.post("/gradio_api/upload", headers=headers).status_code == (200 if taken else 403)

    def test_where_no_name_is_refused(self, monkeypatch, caplog):
        monkeypatch.delenv("SPACE_ID", raising=False)
        caplog.set_level(logging.INFO, "adain_core.server")
        assert guard.hosts(None, "127.0.0.1", share=True) is None and not caplog.text
        assert guard.hosts(None, "0.0.0.0", share=False) is None and "--allowed-hosts NAME" in caplog.text
        monkeypatch.setenv("SPACE_ID", "someone/playground")
        assert guard.hosts(None, "0.0.0.0", share=False) is None


class TestHeaders:
    def test_every_answer_has_them(self):
        visits = site()
        for path in ("/", "/none", "/missing", "/wrong", "/gradio_api/deep_link"):
            headers = visits.get(path).headers
            assert headers["X-Content-Type-Options"] == "nosniff" and headers["X-Frame-Options"] == "DENY"
            assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]

    def test_a_space_is_shown_by_its_site(self, monkeypatch):
        monkeypatch.setenv("SPACE_ID", "someone/playground")
        headers = site().get("/").headers
        assert "X-Frame-Options" not in headers
        assert "frame-ancestors https://huggingface.co " in headers["Content-Security-Policy"]

    @pytest.mark.parametrize("kind", ["png", "jpeg", "gif", "webp", "bmp"])
    def test_a_picture_has_the_type_of_its_content(self, tmp_path, kind):
        Image.new("RGB", (8, 8)).save(tmp_path / "a.png", kind)
        found = site().get(f"{guard.FILE}{tmp_path}/a.png")
        assert found.headers["Content-Type"] == f"image/{kind}"
        assert found.headers["Content-Security-Policy"].endswith("sandbox")

    def test_a_page_named_like_a_picture_is_none(self, tmp_path):
        (tmp_path / "a.png").write_text("<html><script>alert(1)</script></html>")
        for headers in ({}, {"Range": "bytes=0-5"}):
            found = site().get(f"{guard.FILE}{tmp_path}/a.png", headers=headers)
            assert found.headers["Content-Type"] == "application/octet-stream"
            assert found.headers["Content-Disposition"] == "attachment"


class TestSentences:
    @pytest.mark.parametrize(
        ("method", "path", "status", "words"),
        [
            ("POST", "/missing", 400, guard.UNFIT),
            ("GET", "/missing", 500, guard.FAILED),
            ("POST", "/full", 507, guard.FULL),
            ("POST", "/wrong", 400, guard.UNFIT),
            ("POST", "/said", 400, "Choose a photograph first."),
        ],
    )
    def test_a_failure_is_one_and_a_line_in_the_log(self, caplog, method, path, status, words):
        found = site().request(method, path)
        assert (found.status_code, found.json()) == (status, {"detail": words, "error": words})
        (record,) = caplog.records
        assert "\n" not in record.getMessage() and record.exc_info is None

    def test_errors_that_the_page_logged_are_not_logged_again(self, caplog):
        assert site().post("/null").json()["error"] == guard.UNFIT
        assert not caplog.records

    def test_a_stream_that_breaks_ends(self, caplog):
        assert site().get("/stream").text == "data: 1\n\n"
        assert len(caplog.records) == 1 and "KeyError: 'session'" in caplog.text

    def test_fastapi_messages_are_kept(self):
        assert site().get("/none").status_code == 404


@pytest.fixture(scope="module")
def client(url):
    with httpx.Client(base_url=f"{url}gradio_api/", timeout=60) as client:
        yield client


@pytest.fixture(scope="module")
def functions(client, url):
    """What the page's functions are called, and their numbers."""
    return {each["api_name"]: each["id"] for each in client.get(f"{url}config").json()["dependencies"]}


class TestServer:
    """Requests made by hand, to the page itself."""

    @pytest.mark.parametrize(
        ("path", "body"),
        [
            ("run/predict", {"fn_index": 9999, "data": []}),
            ("queue/join", {"fn_index": 9999, "data": [], "session_hash": "x"}),
            ("run/predict", {"fn_index": "check", "data": [3]}),
            ("run/predict", {"fn_index": "check", "data": []}),
            ("run/predict", {"fn_index": "check", "data": "text"}),
            ("run/predict", {"fn_index": "picked", "data": []}),
            ("run/predict", {"fn_index": "picked", "data": [], "event_data": {"index": 999, "value": 1}}),
            ("run/predict", {"fn_index": "js_fn", "data": [None]}),
            ("call/nothing", {"data": []}),
            ("call/v2/nothing", {}),
            ("call/v2/stylize", {"nothing": 1}),
            ("component_server", {"data": {}, "component_id": 9999, "session_hash": "x", "fn_name": "accept_blobs"}),
            ("cancel", {}),
        ],
    )
    def test_invalid_requests_get_a_sentence(self, client, functions, path, body):
        if body.get("fn_index") in functions:
            body = {**body, "fn_index": functions[body["fn_index"]]}
        found = client.post(path, json=body)
        assert (found.status_code, found.json()["error"]) == (400, guard.UNFIT)

    @pytest.mark.parametrize("nothing", [None, []])
    def test_no_function_fails_where_nothing_is_given(self, client, nothing):
        for each in client.get("../config").json()["dependencies"]:
            body = {"fn_index": each["id"], "data": [nothing] * len(each["inputs"]), "session_hash": "nothing"}
            found = client.post("run/predict", json=body)
            assert found.status_code in (200, 400, 404), (each["api_name"], found.text)

    def test_a_file_without_a_name(self, client):
        assert client.post("upload", files={"files": ("", b"abc")}).json()["error"] == guard.UNFIT

    @pytest.mark.parametrize("path", ["file=https://example.com/a.png", "deep_link?session_hash=x", "proxy=http://a/"])
    def test_unneeded_routes_are_closed(self, client, path):
        assert client.get(path).status_code == 404


def test_the_page_keeps_its_own_policy(page, url):
    """In a real browser: no tab, nor what the foot of the page opens, asks for what is forbidden."""
    page.set_default_timeout(60_000)
    told = []
    page.on("console", lambda message: told.append(message.text))
    page.add_init_script(
        "document.addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) =>"
        " console.log('policy', violatedDirective, blockedURI))"
    )
    page.goto(url)
    page.locator("#compare img").first.wait_for()
    for name in TABS:
        page.get_by_role("tab", name=name, exact=True).first.click()
        page.locator(f"#tab-{name.lower()}").wait_for()
    page.get_by_role("button", name="Use via API").click()
    page.get_by_text("API documentation").first.wait_for()
    assert not [words for words in told if words.startswith("policy")]
    with page.expect_console_message(lambda message: message.text.startswith("policy connect-src")):
        page.evaluate("fetch('https://example.com/').catch(() => {})")  # a breach would be seen
