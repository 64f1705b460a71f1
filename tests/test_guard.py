"""What stands before the page: visitors and their runs a minute."""

import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from ui import guard


def answer(request) -> JSONResponse:
    return JSONResponse({"visitor": guard.visitor(request.scope), "url": str(request.url), **request.headers})


def site(address="192.0.2.1", **options) -> TestClient:
    """A server behind the guard, as a visitor of an address sees it."""
    route = Route("/{path:path}", answer, methods=["GET", "POST"])
    layers = guard.layers(**{"proxies": 0, "runs": 0, **options})
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

    def test_what_a_visitor_says_of_the_address_is_dropped(self):
        said = {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https", "X-Gradio-Server": "evil.example"}
        found = site().get("/", headers=said).json()
        assert not {name.lower() for name in said} & set(found) and found["url"] == "http://testserver/"
        said = {"X-Forwarded-Host": "evil.example, mine.example", "X-Forwarded-Proto": "https"}
        found = site(proxies=1).get("/", headers=said).json()
        assert found["x-forwarded-host"] == "mine.example" and found["url"] == "https://testserver/"

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
        words = "This server takes 2 runs a minute from each visitor; try again in 40 s."
        assert refused.json() == {"detail": words, "error": words}
        assert one.post("/gradio_api/queue/join", headers=other).status_code == 200
        assert one.get("/gradio_api/queue/data").status_code == one.post("/gradio_api/upload").status_code == 200
        now[0] += 40
        assert one.post("/gradio_api/queue/join").status_code == 200

    def test_made_up_addresses_do_not_get_past_it(self):
        made_up = ({"X-Forwarded-For": f"203.0.113.{number}, 192.0.2.1"} for number in range(3))
        visits = site(runs=2, proxies=1)
        assert [visits.post("/run/predict", headers=each).status_code for each in made_up] == [200, 200, 429]

    def test_zero_runs_are_any_number(self):
        visits = site(runs=0)
        assert {visits.post("/run/predict").status_code for _ in range(400)} == {200}
