"""Lanes: short runs, long runs and looks at uploads each compute one at a time, beside each other; visitors take turns.

Gradio's queue lets every run in at once, and here it waits for its turn, since which lane it takes depends on its
settings. A lane computes in a thread of its own. The long lane's has a lower priority, and so have the threads that
OpenMP starts for it, so that a short run has nearly the whole machine whenever it comes.
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
import os
import queue
import sys
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any, NamedTuple

import anyio.to_thread
import gradio as gr
import torch
from gradio.context import LocalContext
from gradio.server_messages import EstimationMessage

from ui.serving import guard, kept

SHORT = 2.0  # seconds; what is expected to take longer, or does, is a long run
LOOK = 0.2  # seconds between two looks at whether somebody still listens
SOON, TELL = 0.3, 1.0  # seconds until a visitor who waits is told so, and from then on between two sentences
ABANDONED = 10.0  # seconds after which a run that nobody has listened to ends
LOWER = 10  # added to the long lane's niceness: of a processor that both want, it leaves nine tenths to a short run
LENT = "SPACES_ZERO_GPU" in os.environ  # a run there is a process of its own, and only it has a GPU to forecast by
PROCESSORS = torch.get_num_threads()
NOBODY = "Nobody listened to this run any more, so it was ended."

Told = Callable[[str, bool], Any]  # makes a view of a sentence; the second says whether it refuses


class Refused(ValueError):
    """A sentence on why a run may not even wait."""


@dataclass(eq=False)
class Turn:
    """One run that waits or computes.

    Attributes:
        visitor: whose it is.
        seconds: that it is expected to take.
        ready: set when its turn has come.
        began: when that was, in seconds of the monotonic clock.
        closed: whether nobody wants it any more.
        unfinished: whether it ended since it took longer than its lane allows.
    """

    visitor: str
    seconds: float = 0.0
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    began: float = 0.0
    closed: bool = False
    unfinished: bool = False


class Place(NamedTuple):
    """Where a run is in a queue: how many are before it, how many wait, and the seconds until it begins."""

    rank: int
    size: int
    seconds: float

    def words(self) -> str:
        """Say so."""
        when = f"in about {self.seconds:.0f} s" if self.seconds >= 1 else "in a moment"
        return f"Waiting at place {self.rank + 1} of {self.size}; it begins {when}."


class Room:
    """How many runs may wait, in several lanes together.

    Args:
        total: of all visitors.
        each: of one visitor.
    """

    def __init__(self, total: int, each: int) -> None:
        self.total, self.each = total, each
        self.lanes: list[Lane] = []

    def check(self, visitor: str) -> None:
        """Let one more run of a visitor wait.

        Raises:
            Refused: too many do.
        """
        waiting = [turn.visitor for lane in self.lanes for turn in lane.order()]
        if waiting.count(visitor) >= self.each:
            raise Refused(f"{self.each} of your runs are waiting already; let one of them begin, or stop it.")
        if len(waiting) >= self.total:
            raise Refused(f"The queue is full (runs that wait: {self.total}); please try again in a moment.")


class Listener:
    """Whoever listens to the event on which Gradio calls; to what is no event, somebody always listens."""

    def __init__(self) -> None:
        blocks, name = LocalContext.blocks.get(None), LocalContext.event_id.get(None)
        self.events = None if blocks is None else blocks._queue
        self.event = None if self.events is None else self.events.event_ids_to_events.get(name)
        self.heard = time.monotonic()

    def there(self) -> bool:
        """Say whether somebody listens: Gradio marks whose client hung up, and nobody fetches messages of others."""
        if self.event is None:
            return True
        messages = self.events.pending_messages_per_session.get(self.event.session_hash)
        if messages is None or messages.empty():
            self.heard = time.monotonic()
        return self.event.alive and time.monotonic() - self.heard < ABANDONED

    def tell(self, place: Place) -> None:
        """Tell a program its place, as Gradio's own queue does."""
        if self.event is not None:
            rank, size, seconds = place
            self.events.send_message(self.event, EstimationMessage(rank=rank, queue_size=size, rank_eta=seconds))


class Lane:
    """Computes one run at a time in a thread of its own; visitors take turns, and each one's runs keep their order.

    All but the computing happens in the event loop's thread.

    Args:
        name: of the thread.
        room: for those that wait.
        limit: seconds after which a run goes on in the lane `then`.
        then: that lane, or None.
        low: whether the thread gives way to others.
    """

    def __init__(
        self, name: str, room: Room, limit: float = float("inf"), then: Lane | None = None, low: bool = False
    ) -> None:
        self.name, self.room, self.limit, self.then, self.low = name, room, limit, then, low
        self.now: Turn | None = None
        self.waiting: dict[str, deque[Turn]] = {}  # by visitor, in the order of their turns
        self.jobs: queue.SimpleQueue[Callable[[], Any]] = queue.SimpleQueue()
        self.thread: threading.Thread | None = None
        room.lanes.append(self)

    def join(self, turn: Turn) -> None:
        """Begin a turn, or let it wait."""
        if self.now is None:
            self._begin(turn)
        else:
            self.waiting.setdefault(turn.visitor, deque()).append(turn)

    def leave(self, turn: Turn) -> None:
        """End a turn, or its waiting; the next one begins."""
        own = self.waiting.get(turn.visitor, deque())
        if self.now is turn:
            self.now = None
            if self.waiting:
                visitor = next(iter(self.waiting))
                own = self.waiting.pop(visitor)
                self._begin(own.popleft())
                if own:
                    self.waiting[visitor] = own  # behind the others
        elif turn in own:
            own.remove(turn)
            if not own:
                del self.waiting[turn.visitor]

    def order(self) -> list[Turn]:
        """Return those that wait, in the order in which they will begin."""
        return [turn for each in zip_longest(*self.waiting.values()) for turn in each if turn is not None]

    def place(self, turn: Turn) -> Place:
        """Return how many are before a turn that waits, of how many, and how long it will take."""
        order = self.order()
        rank = order.index(turn)
        seconds = sum(each.seconds for each in order[:rank])
        if self.now is not None:
            seconds += max(0.0, self.now.seconds - (time.monotonic() - self.now.began))
        return Place(rank, len(order), seconds)

    async def run(
        self, steps: Generator[Any, None, None], visitor: str, seconds: float = 0.0, told: Told | None = None
    ) -> AsyncIterator[Any]:
        """Wait for a turn, saying how long, and iterate over what computes in this lane's thread.

        Args:
            steps: a generator that computes. It is closed when this is, or when nobody listens any more.
            visitor: whose it is.
            seconds: that it is expected to take.
            told: makes a view of what is said while it waits; without it nothing is said.

        Yields:
            What is said, and each step.

        Raises:
            Refused: there is no room to wait.
        """
        if self.now is not None:
            self.room.check(visitor)
        lane, turn = self, Turn(visitor, seconds)
        try:
            while True:
                async with aclosing(lane._turn(steps, turn, told)) as views:
                    async for view in views:
                        yield view
                if not turn.unfinished or lane.then is None:
                    return
                lane, turn = lane.then, Turn(visitor, SHORT)
        finally:
            lane._compute(steps.close)

    async def _turn(self, steps: Iterator[Any], turn: Turn, told: Told | None) -> AsyncIterator[Any]:
        listener, loop = Listener(), asyncio.get_running_loop()
        views: asyncio.Queue[tuple[str, Any]] = asyncio.Queue()

        def call(function: Callable[..., Any], *given: Any) -> None:
            with suppress(RuntimeError):  # the server has ended
                loop.call_soon_threadsafe(function, *given)

        def work() -> None:
            ends = time.monotonic() + self.limit
            try:
                while not (turn.closed or turn.unfinished):
                    self._take_processors()
                    with kept.collecting() as writing:
                        step = next(steps)
                    call(views.put_nowait, ("step", (step, writing)))
                    turn.unfinished = time.monotonic() > ends
            except StopIteration:
                pass
            except BaseException as error:
                call(views.put_nowait, ("error", error))
            call(self.leave, turn)
            call(views.put_nowait, ("end", None))

        self.join(turn)
        try:
            last = time.monotonic() + SOON - TELL
            while not turn.ready.is_set():
                if time.monotonic() - last >= TELL:
                    last = time.monotonic()
                    place = self.place(turn)
                    if told is None:
                        listener.tell(place)
                    else:
                        yield told(place.words(), False)
                await _within(LOOK, turn.ready.wait())
                if not listener.there():
                    return
            self._compute(functools.partial(contextvars.copy_context().run, work))
            while True:
                kind, value = await _within(LOOK, views.get()) or ("", None)
                if kind == "step":
                    step, writing = value
                    await asyncio.gather(*map(asyncio.wrap_future, writing))
                    yield step
                elif kind == "error":
                    raise value
                if kind == "end" or not listener.there():  # steps may come without a pause
                    return
        finally:
            turn.closed = True
            self.leave(turn)

    def _take_processors(self) -> None:
        """Compute by every processor, but by one fewer in a short run while other runs wait or compute.

        OpenMP's threads wait for one another after each layer. Where one shares its processor, with the server's event
        loop or another run, the others do nothing meanwhile: a pass by two threads then took ten times as long as by
        one.
        """
        if LENT:
            return
        others = self.waiting or any(lane.now for lane in self.room.lanes if lane is not self)
        threads = PROCESSORS - 1 if others and not self.low else PROCESSORS
        if self.low and sys.platform != "linux":  # only processes have a priority there
            threads //= 2
        torch.set_num_threads(max(1, threads))

    def _begin(self, turn: Turn) -> None:
        self.now, turn.began = turn, time.monotonic()
        turn.ready.set()

    def _compute(self, job: Callable[[], Any]) -> None:
        if self.thread is None:
            self.thread = threading.Thread(target=self._serve, name=self.name, daemon=True)
            self.thread.start()
        self.jobs.put(job)

    def _serve(self) -> None:
        if self.low and not LENT:
            _give_way()
        while True:
            job = self.jobs.get()
            with suppress(Exception):
                job()


WAITING = Room(total=64, each=2)
LONG = Lane("long runs", WAITING, low=True)
SHORTS = Lane("short runs", WAITING, limit=SHORT, then=LONG)
LOOKS = Lane("looks", Room(total=256, each=24))


def in_turn(
    handler: Callable[..., Generator[Any, None, None]],
    seconds: Callable[..., float],
    told: Told | None = None,
) -> Callable[..., AsyncIterator[Any]]:
    """Make a handler wait for its turn and compute in a lane.

    Args:
        handler: a generator function of what Gradio hands it.
        seconds: that it will take, by the same; it may raise the ValueError that the handler will answer.
        told: makes a view of what is said while it waits, and of a refusal; without it nothing is said.

    Returns:
        An asynchronous generator function of the same. Without `told` it raises Refused.
    """

    async def run(*given: Any) -> AsyncIterator[Any]:
        visitor, expected = whose(), await anyio.to_thread.run_sync(_expect, seconds, given)
        lane = LONG if expected > SHORT else SHORTS
        try:
            async with aclosing(lane.run(handler(*given), visitor, expected, told)) as views:
                async for view in views:
                    yield view
        except Refused as error:
            if told is None:
                raise
            yield told(str(error), True)

    return run


def aside(handler: Callable[..., Any], lane: Lane = LOOKS) -> Callable[..., Any]:
    """Make a plain handler wait for its turn in a lane, as those do that decode uploads outside the queue."""

    @functools.wraps(handler)
    async def answer(*given: Any) -> Any:
        def steps() -> Generator[Any, None, None]:
            yield handler(*given)

        try:
            async with aclosing(lane.run(steps(), whose())) as views:
                async for view in views:
                    return view
        except Refused as error:
            raise gr.Error(str(error), print_exception=False) from None
        raise gr.Error(NOBODY, print_exception=False)

    return answer


def whose() -> str:
    """Return what tells the visitor apart on whose request Gradio calls."""
    request = getattr(LocalContext.request.get(None), "request", None)
    return "" if request is None else guard.visitor(request.scope)


def _expect(seconds: Callable[..., float], given: tuple[Any, ...]) -> float:
    if LENT:
        return 2 * SHORT
    try:
        return seconds(*given)
    except (ValueError, TypeError):  # the handler will say so
        return 0.0


async def _within(seconds: float, result: Awaitable[Any]) -> Any:
    """Wait for a result at most so long; None if it doesn't come."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            return await result
    return None


def _give_way() -> None:
    """Lower this thread's priority and that of the threads it will start, where threads have one."""
    if sys.platform == "linux":
        with suppress(OSError):
            thread = threading.get_native_id()
            os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + LOWER)
