"""The command line: `python -m adain_core`, or `adain` once installed. Its commands are in adain_core/cli/."""

from __future__ import annotations

import os
import signal
from typing import Any, NoReturn


def main() -> NoReturn:
    """Run the command line; an error ends it with one sentence and an exit code."""
    handler = signal.getsignal(signal.SIGINT)
    if handler is signal.default_int_handler:  # importing torch takes seconds, and fails in many ways if interrupted
        signal.signal(signal.SIGINT, _stop)
    from adain_core import cli
    from adain_core.system import console

    signal.signal(signal.SIGINT, handler)
    console.run(cli.app)


def _stop(*_given: Any) -> NoReturn:
    os.write(2, b"adain: stopped before it began.\n")
    os._exit(130)


if __name__ == "__main__":
    main()
