"""Command lines: options made from parameters, exit codes, and error messages.

A command that fails prints one sentence to the standard error stream and returns an exit code.
"""

from __future__ import annotations

import contextlib
import errno
import inspect
import os
import re
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NoReturn

from adain_core.system import machine

FAILED, MISTAKEN = 1, 2  # exit codes of failures and of wrong usage
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # errors of a full disk
STOPPED = 130  # the shells' exit code for Ctrl-C


def run(app: Callable[..., Any], name: str = "adain") -> NoReturn:
    """Run a typer application and exit.

    Wrong usage ends with one sentence and exit code 2, disk errors and lack of memory with one and code 1, and Ctrl-C
    with code 130.
    """
    import typer

    for stream in ("stdout", "stderr"):
        if getattr(sys, stream) is None:  # closed by the caller
            setattr(sys, stream, open(os.devnull, "w"))
        with contextlib.suppress(AttributeError):  # file names may contain bytes that aren't valid text
            getattr(sys, stream).reconfigure(errors="backslashreplace")
    try:
        with warnings.catch_warnings():
            if not sys.warnoptions:  # libraries' warnings are for developers, and contain paths
                warnings.simplefilter("ignore")
            code = app(standalone_mode=False)
        sys.stdout.flush()
    except typer.TyperException as error:
        if message := error.format_message():  # empty if the help was printed
            tell(f"{name}: {message}")
        code = error.exit_code
    except ValueError as error:
        tell(f"{name}: {error}")
        code = MISTAKEN
    except BrokenPipeError:  # the reader of our output, such as `head`, has exited
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = FAILED
    except OSError as error:
        about = error.filename or ("standard output" if error.errno in FULL else "")  # other files are named
        tell(f"{name}: {error.strerror or error or 'The disk or the network failed'}{about and f': {about}'}")
        code = FAILED
    except (KeyboardInterrupt, typer.Abort):
        code = STOPPED
    except Exception as error:
        if (words := machine.shortage(error)) is None:
            raise
        tell(f"{name}: {words}")
        code = FAILED
    if code == STOPPED:  # typer turns Ctrl-C into its exit code
        tell(f"{name}: stopped; every file written so far is complete.")
    sys.exit(code)


def script(function: Callable[..., Any], name: str) -> NoReturn:
    """Run a function as a command and exit; see `run`."""
    import typer

    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(function)
    run(app, name)


def with_options(command: Callable[..., Any], drawn: Sequence[inspect.Parameter]) -> Callable[..., Any]:
    """Add options to a command, which receives their values as a dictionary in its argument `options`."""
    signature, names = inspect.signature(command, eval_str=True), [each.name for each in drawn]
    own = [each for each in signature.parameters.values() if each.name != "options"]

    def run(**values: Any) -> Any:
        options = {name: values.pop(name) for name in names}
        return command(**values, options=options)

    run.__name__, run.__doc__ = command.__name__, command.__doc__
    run.__signature__ = signature.replace(parameters=[*own, *drawn])  # type: ignore[attr-defined]
    return run


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Delay Ctrl-C until the end of a block that must not be interrupted."""
    if threading.current_thread() is not threading.main_thread():  # other threads never receive it
        yield
        return
    pressed = False

    def note(*_given: Any) -> None:
        nonlocal pressed
        pressed = True

    before = signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if pressed:
            signal.raise_signal(signal.SIGINT)


def tell(sentence: str) -> None:
    """Print a line to the standard error stream, without control characters and with long words shortened."""
    line = "".join(each if each.isprintable() else " " for each in sentence)
    print(re.sub(r"\S{200,}", lambda word: f"{word[0][:60]}...{word[0][-40:]}", line), file=sys.stderr)
