"""Turns in lanes: order, words, refusals, and that nobody's run stays when nobody wants it."""

import asyncio
import os
import threading
import types
from contextlib import aclosing

import pytest
import torch
from gradio.context import LocalContext

from ui.serving import lanes


class Work:
    """A run of so many steps, each of which waits until it is let go."""

    def __init__(self, name, steps=1, go=True):
        self.name, self.steps, self.closed = name, steps, threading.Event()
        self.begun, self.go = threading.Event(), threading.Event()
        if go:
            self.go.set()

    def __call__(self):
        try:
            for step in range(self.steps):
                self.begun.set()
                assert self.go.wait(30)
                yield f"{self.name}{step}"
        finally:
            self.closed.set()


@pytest.fixture
def room():
    return lanes.Capacity(total=5, each=2)


@pytest.fixture
def lane(room):
    return lanes.Lane("test", room)


async def gather(lane, work, visitor="one", seconds=0.0, told=None, into=None):
    found = [] if into is None else into
    async with aclosing(lane.run(work(), visitor, seconds, told)) as views:
        async for view in views:
            found.append(view)
    return found


async def until(condition):
    """Let the loop go on until something holds."""
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.001)


def begin(*given, **named):
    return asyncio.create_task(gather(*given, **named))


class TestTurns:
    def test_a_run_yields_its_steps_in_the_lane_s_thread(self, lane):
        def work():
            yield threading.current_thread().name
            yield "last"

        assert asyncio.run(gather(lane, work)) == ["test", "last"]
        assert lane.now is None and not lane.waiting

    def test_visitors_take_turns_and_each_one_s_runs_keep_their_order(self, lane):
        async def main():
            first, order = Work("first", go=False), []
            runs = [begin(lane, first, "one")]
            await until(first.begun.is_set)
            for visitor, name in (("one", "a"), ("one", "b"), ("two", "c"), ("three", "d")):
                runs.append(begin(lane, Work(name), visitor, into=order))
                await until(lambda: len(lane.order()) == len(runs) - 1)
            first.go.set()
            await asyncio.gather(*runs)
            return order

        assert asyncio.run(main()) == ["a0", "c0", "d0", "b0"]

    def test_a_waiting_visitor_sees_position_and_seconds(self, lane, monkeypatch):
        now = [100.0]
        monkeypatch.setattr(lanes, "time", types.SimpleNamespace(monotonic=lambda: now[0]))

        async def main():
            first, said = Work("first", go=False), []
            told = lambda words, refused: (words, refused)  # noqa: E731
            runs = [begin(lane, first, "one", 20.0)]
            await until(first.begun.is_set)
            runs.append(begin(lane, Work("second"), "two", 7.0, told))
            await until(lambda: lane.order())
            runs.append(begin(lane, Work("third"), "three", 1.0, told, said))
            await until(lambda: len(lane.order()) == 2)
            now[0] += 5
            await until(lambda: said)
            now[0] += 15.5
            await until(lambda: len(said) == 2)
            first.go.set()
            await asyncio.gather(*runs)
            return said

        said = asyncio.run(main())
        assert said[0] == ("Waiting in position 2 of 2; your run starts in about 22 s.", False)
        assert said[1] == ("Waiting in position 2 of 2; your run starts in about 7 s.", False)
        assert said[-1] == "third0"

    def test_too_many_of_one_visitor_and_of_all_are_refused(self, lane, room):
        other = lanes.Lane("other", room)

        async def main():
            works = [Work("first", go=False), Work("other", go=False)]
            runs = [begin(lane, works[0], "one"), begin(other, works[1], "one")]
            await until(lambda: all(work.begun.is_set() for work in works))
            for each, visitor in ((lane, "one"), (other, "one"), (lane, "two"), (lane, "three"), (other, "four")):
                runs.append(begin(each, Work("more"), visitor))
                await until(lambda: sum(len(each.order()) for each in room.lanes) == len(runs) - 2)
            refusals = []
            for visitor in ("one", "five"):
                with pytest.raises(lanes.Refused) as refusal:
                    await gather(lane, Work("refused"), visitor)
                refusals.append(str(refusal.value))
            for work in works:
                work.go.set()
            await asyncio.gather(*runs)
            return refusals

        assert asyncio.run(main()) == [
            "You already have 2 runs waiting; wait for one to start, or stop it.",
            "The queue is full (waiting runs: 5); please try again in a moment.",
        ]

    def test_an_error_ends_the_turn_and_is_handed_on(self, lane):
        def work():
            yield "step"
            raise ValueError("no")

        async def main():
            with pytest.raises(ValueError, match="no"):
                await gather(lane, work)
            return await gather(lane, Work("next"))

        assert asyncio.run(main()) == ["next0"]

    def test_a_run_that_exceeds_the_limit_continues_in_the_next_lane(self, room, monkeypatch):
        now = [100.0]
        monkeypatch.setattr(lanes, "time", types.SimpleNamespace(monotonic=lambda: now[0]))
        long = lanes.Lane("long", room)
        short = lanes.Lane("short", room, limit=2.0, then=long)

        def work():
            for seconds in (0, 3, 3):
                now[0] += seconds
                yield threading.current_thread().name

        assert asyncio.run(gather(short, work)) == ["short", "short", "long"]
        assert short.now is long.now is None


class TestEnds:
    """However a run ends, its generator is closed and the next one begins."""

    def test_a_cancelled_run(self, lane):
        async def main():
            work = Work("long", steps=3, go=False)
            run = begin(lane, work)
            await until(work.begun.is_set)
            run.cancel()
            await asyncio.wait([run])
            assert lane.now is None and not work.closed.is_set()
            work.go.set()  # the step under way ends, and no other begins
            return await gather(lane, Work("next")), work.closed.wait(30)

        assert asyncio.run(main()) == (["next0"], True)

    def test_one_that_is_closed_between_its_steps(self, lane):
        async def main():
            work = Work("long", steps=10**9)
            views = lane.run(work(), "one")
            assert await anext(views) == "long0"
            await views.aclose()
            return work.closed.wait(30)

        assert asyncio.run(main()) and lane.now is None

    def test_a_canceled_waiting_run_leaves_the_queue(self, lane):
        async def main():
            first = Work("first", go=False)
            run = begin(lane, first)
            await until(first.begun.is_set)
            waiting = begin(lane, Work("waiting"), "two")
            await until(lane.order)
            waiting.cancel()
            await asyncio.wait([waiting])
            left = lane.order()
            first.go.set()
            await run
            return left, lane.waiting

        assert asyncio.run(main()) == ([], {})

    @pytest.mark.parametrize("waits", [True, False])
    def test_one_whose_listener_hung_up(self, lane, monkeypatch, waits):
        alive = [True]
        monkeypatch.setattr(lanes.Listener, "there", lambda _: alive[0])

        async def main():
            first, work = Work("first", go=False), Work("long", steps=10**9, go=not waits)
            runs = [begin(lane, first)] if waits else []
            await until(lambda: first.begun.is_set() or not waits)
            runs.append(begin(lane, work, "two"))
            await until(lambda: lane.order() if waits else work.begun.is_set())
            if not waits:
                work.go.clear()
            alive[0] = False
            await until(runs[-1].done)
            first.go.set(), work.go.set()
            await asyncio.gather(*runs)
            return waits or work.closed.wait(30)

        assert asyncio.run(main())
        assert lane.now is None and not lane.waiting

    def test_one_whose_listener_hung_up_while_steps_come_without_a_pause(self, lane, monkeypatch):
        seen = []
        monkeypatch.setattr(lanes.Listener, "there", lambda _: len(seen) < 5)
        work = Work("long", steps=10**9)
        asyncio.run(asyncio.wait_for(gather(lane, work, into=seen), 30))
        assert 5 <= len(seen) < 10 and work.closed.wait(30) and lane.now is None


@pytest.fixture
def event():
    """An event on which Gradio calls, and the messages that wait for who listens."""
    found = types.SimpleNamespace(alive=True, session_hash="x", messages=asyncio.Queue())
    events = types.SimpleNamespace(event_ids_to_events={"1": found}, pending_messages_per_session={"x": found.messages})
    tokens = [LocalContext.blocks.set(types.SimpleNamespace(_queue=events)), LocalContext.event_id.set("1")]
    yield found
    LocalContext.blocks.reset(tokens[0]), LocalContext.event_id.reset(tokens[1])


class TestListening:
    def test_until_the_event_is_dead(self, event):
        listener = lanes.Listener()
        assert listener.there()
        event.alive = False
        assert not listener.there()

    def test_until_messages_have_piled_up_for_a_while(self, event, monkeypatch):
        now = [100.0]
        monkeypatch.setattr(lanes, "time", types.SimpleNamespace(monotonic=lambda: now[0]))
        listener = lanes.Listener()
        event.messages.put_nowait("begins")
        now[0] += lanes.ABANDONED - 1
        assert listener.there()
        event.messages.get_nowait()
        assert listener.there()
        event.messages.put_nowait("more")
        now[0] += lanes.ABANDONED - 1
        assert listener.there()
        now[0] += 2
        assert not listener.there()

    def test_a_program_receives_its_position(self, event):
        told = []
        lanes.LocalContext.blocks.get()._queue.send_message = lambda *given: told.append(given)
        lanes.Listener().send(lanes.Position(1, 3, 2.5))
        ((to, message),) = told
        assert to is event and (message.rank, message.queue_size, message.rank_eta) == (1, 3, 2.5)

    def test_a_call_that_is_no_event_is_listened_to(self):
        assert lanes.Listener().there()


class TestHandlers:
    def test_the_lane_is_chosen_by_the_expected_seconds(self):
        def work(_seconds):
            yield threading.current_thread().name

        async def main(*seconds):
            run = lanes.in_turn(work, float)
            return [[view async for view in run(each)] for each in seconds]

        assert asyncio.run(main(0.1, 2.0, 2.1, "no number")) == [["short runs"]] * 2 + [["long runs"], ["short runs"]]

    def test_a_refusal_is_shown_where_there_is_a_place_for_it(self, monkeypatch):
        monkeypatch.setattr(lanes.WAITING, "each", 0)

        async def main():
            first = Work("first", go=False)
            run = begin(lanes.SHORTS, first)
            await until(first.begun.is_set)
            shown = lanes.in_turn(lambda: Work("x")(), lambda: 0.0, lambda words, refused: (words, refused))
            views = [view async for view in shown()]
            with pytest.raises(lanes.Refused):
                await anext(lanes.in_turn(lambda: Work("x")(), lambda: 0.0)())
            first.go.set()
            await run
            return views

        (view,) = asyncio.run(main())
        assert view == ("You already have 0 runs waiting; wait for one to start, or stop it.", True)

    def test_upload_checks_have_a_thread_of_their_own(self):
        async def check(value: int) -> str:
            return await lanes.aside(lambda given: f"{threading.current_thread().name} {given}")(value)

        assert asyncio.run(check(3)) == "upload checks 3"

    def test_a_short_run_leaves_a_processor_to_others(self, monkeypatch, room):
        monkeypatch.setattr(lanes, "PROCESSORS", 4)
        long = lanes.Lane("long", room, low=True)
        short = lanes.Lane("short", room, then=long)
        one, other = Work("one", go=False), Work("other", go=False)

        def work():
            yield torch.get_num_threads()

        def two_steps():
            yield from one()
            yield torch.get_num_threads()

        async def main():
            found = await gather(short, work)  # alone
            run = begin(long, other)
            await until(other.begun.is_set)
            found += await gather(short, work)
            other.go.set()
            await run
            run = begin(short, two_steps)
            await until(one.begun.is_set)
            waits = begin(short, work, "two")
            await until(lambda: short.waiting)
            one.go.set()
            return found + (await run)[1:] + await waits + await gather(long, work)

        try:
            assert asyncio.run(main()) == [4, 3, 3, 4, 4 if lanes.sys.platform == "linux" else 2]
        finally:
            torch.set_num_threads(1)

    @pytest.mark.skipif(not lanes.sys.platform.startswith("linux"), reason="elsewhere threads have no priority")
    def test_long_runs_give_way(self):
        def work():
            yield os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

        async def main():
            return [await gather(lane, work) for lane in (lanes.LONG, lanes.SHORTS)]

        long, short = asyncio.run(main())
        assert long[0] > short[0]
