"""Lanes: separate queues for short runs, long runs, and upload checks; each computes one job at a time.

Gradio's queue admits every run immediately, and the run then waits here, because its lane depends on its settings.
Visitors take turns. Each lane computes in its own thread. The long lane's thread, and the OpenMP threads it starts,
have a lower priority, so that a short run gets nearly the whole machine.
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

SHORT = 2.0  # seconds; a run that is expected to take longer, or does, is a long run
POLL = 0.2  # seconds between checks that the client is still connected
FIRST_NOTICE, NOTICE_INTERVAL = 0.3, 1.0  # seconds until a waiting visitor is first notified, and between updates
ABANDONED = 10.0  # seconds without a listening client after which a run ends
LOWER = 10  # added to the long lane's niceness; leaves nine tenths of a contended processor to the short run
ZERO_GPU = "SPACES_ZERO_GPU" in os.environ  # each run is a separate process there, and only it can see the GPU
PROCESSORS = torch.get_num_threads()
NOBODY = "The client stopped listening, so this run was ended."

Notify = Callable[[str, bool], Any]  # makes a view of a sentence; the flag marks a refusal


class Refused(ValueError):
    """The queue is full; the message says why."""


@dataclass(eq=False)
class Turn:
    """One run that waits or computes.

    Attributes:
        visitor: who started it.
        seconds: its expected duration.
        ready: set when its turn has come.
        began: when that was, in seconds of the monotonic clock.
        closed: whether it was canceled or its client disconnected.
        unfinished: whether it exceeded its lane's limit and must continue in another lane.
    """

    visitor: str
    seconds: float = 0.0
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    began: float = 0.0
    closed: bool = False
    unfinished: bool = False


class Position(NamedTuple):
    """A run's position in a queue: how many are ahead of it, how many wait, and the seconds until it begins."""

    rank: int
    size: int
    seconds: float

    def words(self) -> str:
        """Return it as a sentence."""
        when = f"in about {self.seconds:.0f} s" if self.seconds >= 1 else "in a moment"
        return f"Waiting in position {self.rank + 1} of {self.size}; your run starts {when}."


class Capacity:
    """The number of runs that may wait, across several lanes.

    Args:
        total: maximum over all visitors.
        each: maximum per visitor.
    """

    def __init__(self, total: int, each: int) -> None:
        self.total, self.each = total, each
        self.lanes: list[Lane] = []

    def check(self, visitor: str) -> None:
        """Check that one more run of a visitor may wait.

        Raises:
            Refused: too many are waiting.
        """
        waiting = [turn.visitor for lane in self.lanes for turn in lane.order()]
        if waiting.count(visitor) >= self.each:
            raise Refused(f"You already have {self.each} runs waiting; wait for one to start, or stop it.")
        if len(waiting) >= self.total:
            raise Refused(f"The queue is full (waiting runs: {self.total}); please try again in a moment.")


class Listener:
    """The client listening to the Gradio event that is being handled; outside an event, always present."""

    def __init__(self) -> None:
        blocks, name = LocalContext.blocks.get(None), LocalContext.event_id.get(None)
        self.events = None if blocks is None else blocks._queue
        self.event = None if self.events is None else self.events.event_ids_to_events.get(name)
        self.heard = time.monotonic()

    def there(self) -> bool:
        """Return whether the client still listens: Gradio marks disconnected ones; others stop fetching messages."""
        if self.event is None:
            return True
        messages = self.events.pending_messages_per_session.get(self.event.session_hash)
        if messages is None or messages.empty():
            self.heard = time.monotonic()
        return self.event.alive and time.monotonic() - self.heard < ABANDONED

    def send(self, position: Position) -> None:
        """Send a program its position, as Gradio's own queue does."""
        if self.event is not None:
            rank, size, seconds = position
            self.events.send_message(self.event, EstimationMessage(rank=rank, queue_size=size, rank_eta=seconds))


class Lane:
    """Computes one run at a time in its own thread; visitors take turns, and each visitor's runs keep their order.

    Everything except the computation happens in the event loop's thread.

    Args:
        name: the thread's name.
        capacity: how many runs may wait.
        limit: seconds after which a run continues in the lane `then`.
        then: that lane, or None.
        low: whether the thread has a lower priority.
    """

    def __init__(
        self, name: str, capacity: Capacity, limit: float = float("inf"), then: Lane | None = None, low: bool = False
    ) -> None:
        self.name, self.capacity, self.limit, self.then, self.low = name, capacity, limit, then, low
        self.now: Turn | None = None
        self.waiting: dict[str, deque[Turn]] = {}  # by visitor, in the order of their turns
        self.jobs: queue.SimpleQueue[Callable[[], Any]] = queue.SimpleQueue()
        self.thread: threading.Thread | None = None
        capacity.lanes.append(self)

    def join(self, turn: Turn) -> None:
        """Begin a turn, or put it in the queue."""
        if self.now is None:
            self._begin(turn)
        else:
            self.waiting.setdefault(turn.visitor, deque()).append(turn)

    def leave(self, turn: Turn) -> None:
        """End a turn and begin the next one, or remove it from the queue."""
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
        """Return the waiting turns, in the order in which they will begin."""
        return [turn for each in zip_longest(*self.waiting.values()) for turn in each if turn is not None]

    def position(self, turn: Turn) -> Position:
        """Return a waiting turn's position in the queue."""
        order = self.order()
        rank = order.index(turn)
        seconds = sum(each.seconds for each in order[:rank])
        if self.now is not None:
            seconds += max(0.0, self.now.seconds - (time.monotonic() - self.now.began))
        return Position(rank, len(order), seconds)

    async def run(
        self, steps: Generator[Any, None, None], visitor: str, seconds: float = 0.0, notify: Notify | None = None
    ) -> AsyncIterator[Any]:
        """Wait for a turn, reporting the position, and iterate over a generator in this lane's thread.

        Args:
            steps: the generator. It is closed when this iterator is, or when the client stops listening.
            visitor: who started the run.
            seconds: its expected duration.
            notify: makes a view of each waiting message; None sends Gradio's own messages instead.

        Yields:
            The views of waiting messages, then each step.

        Raises:
            Refused: too many runs are waiting.
        """
        if self.now is not None:
            self.capacity.check(visitor)
        lane, turn = self, Turn(visitor, seconds)
        try:
            while True:
                async with aclosing(lane._turn(steps, turn, notify)) as views:
                    async for view in views:
                        yield view
                if not turn.unfinished or lane.then is None:
                    return
                lane, turn = lane.then, Turn(visitor, SHORT)
        finally:
            lane._compute(steps.close)

    async def _turn(self, steps: Iterator[Any], turn: Turn, notify: Notify | None) -> AsyncIterator[Any]:
        listener, loop = Listener(), asyncio.get_running_loop()
        views: asyncio.Queue[tuple[str, Any]] = asyncio.Queue()

        def call(function: Callable[..., Any], *given: Any) -> None:
            with suppress(RuntimeError):  # the server has shut down
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
            last = time.monotonic() + FIRST_NOTICE - NOTICE_INTERVAL
            while not turn.ready.is_set():
                if time.monotonic() - last >= NOTICE_INTERVAL:
                    last = time.monotonic()
                    position = self.position(turn)
                    if notify is None:
                        listener.send(position)
                    else:
                        yield notify(position.words(), False)
                await _within(POLL, turn.ready.wait())
                if not listener.there():
                    return
            self._compute(functools.partial(contextvars.copy_context().run, work))
            while True:
                kind, value = await _within(POLL, views.get()) or ("", None)
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
        """Set the number of threads: all processors, or one fewer for a short run while other runs wait or compute.

        OpenMP threads synchronize after each layer. If one of them shares its processor with the server's event loop or
        another run, the others idle: a pass with two threads then took ten times as long as with one.
        """
        if ZERO_GPU:
            return
        others = self.waiting or any(lane.now for lane in self.capacity.lanes if lane is not self)
        threads = PROCESSORS - 1 if others and not self.low else PROCESSORS
        if self.low and sys.platform != "linux":  # elsewhere, threads have no priority of their own
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
        if self.low and not ZERO_GPU:
            _give_way()
        while True:
            job = self.jobs.get()
            with suppress(Exception):
                job()


WAITING = Capacity(total=64, each=2)
LONG = Lane("long runs", WAITING, low=True)
SHORTS = Lane("short runs", WAITING, limit=SHORT, then=LONG)
CHECKS = Lane("upload checks", Capacity(total=256, each=24))


def in_turn(
    handler: Callable[..., Generator[Any, None, None]],
    seconds: Callable[..., float],
    notify: Notify | None = None,
) -> Callable[..., AsyncIterator[Any]]:
    """Make a handler wait for its turn and compute in a lane.

    Args:
        handler: a generator function that takes what Gradio passes.
        seconds: its expected duration, given the same arguments; may raise any ValueError that the handler reports.
        notify: makes a view of each waiting message and of a refusal.

    Returns:
        An asynchronous generator function with the same parameters. Without `notify` it raises Refused.
    """

    async def run(*given: Any) -> AsyncIterator[Any]:
        visitor, expected = whose(), await anyio.to_thread.run_sync(_expect, seconds, given)
        lane = LONG if expected > SHORT else SHORTS
        try:
            async with aclosing(lane.run(handler(*given), visitor, expected, notify)) as views:
                async for view in views:
                    yield view
        except Refused as error:
            if notify is None:
                raise
            yield notify(str(error), True)

    return run


def aside(handler: Callable[..., Any], lane: Lane = CHECKS) -> Callable[..., Any]:
    """Make a plain handler wait for its turn in a lane; for handlers that decode uploads outside Gradio's queue."""

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
    """Return the identity of the visitor whose request is being handled."""
    request = getattr(LocalContext.request.get(None), "request", None)
    return "" if request is None else guard.visitor(request.scope)


def _expect(seconds: Callable[..., float], given: tuple[Any, ...]) -> float:
    if ZERO_GPU:
        return 2 * SHORT
    try:
        return seconds(*given)
    except (ValueError, TypeError):  # the handler reports it
        return 0.0


async def _within(seconds: float, result: Awaitable[Any]) -> Any:
    """Wait for a result for up to `seconds`; return None on timeout."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            return await result
    return None


def _give_way() -> None:
    """Lower the priority of this thread and of the threads it will start, where the system supports it."""
    if sys.platform == "linux":
        with suppress(OSError):
            thread = threading.get_native_id()
            os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + LOWER)
