"""How tests start programs, and how long they wait for anything: one way and one limit, for all of them.

A program that a test starts ends when pytest ends, even if pytest is killed: the kernel sends it a signal then
(PR_SET_PDEATHSIG, prctl(2)). It starts with SIGINT as it is by default, wherever pytest itself was started.
"""

import asyncio
import functools
import os
import shutil
import signal
import subprocess
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Final

from gateway.embedded import children

#: How long a test waits for another process or connection before it fails, in seconds. It is there for hangs: nothing
#: usually takes a tenth of it, and a machine may be slow.
HANG_SECONDS: Final = 120

#: What `start` gives: for annotations, since the class itself is not to be called.
Process = subprocess.Popen  # noqa: TID251 - here, so that it is nowhere else

_SETPRIV: Final = shutil.which("setpriv")


def start(
    argv: Sequence[str | Path],
    *,
    prefix: Sequence[str] = (),
    at_the_end: signal.Signals = signal.SIGTERM,
    **options: Any,
) -> Process[Any]:
    """As subprocess.Popen. `at_the_end` is the signal that the program gets when pytest has ended.

    `prefix` is what changes the user: a change after the signal was asked for would undo that.
    """
    with_us = [_SETPRIV, "--pdeathsig", at_the_end.name.removeprefix("SIG")] if _SETPRIV else []
    with_us += ["/bin/sh", "-c", children._BOUND, "test", str(os.getpid())] if _SETPRIV else []
    return Process([*prefix, *with_us, *argv], **options)


def heed_ctrl_c() -> None:
    """Have SIGINT interrupt this process, and so be at its default in every program that it starts.

    A shell without job control starts what runs in the background with SIGINT ignored, and programs pass that on.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def limited(test: Callable[..., Awaitable[None]], seconds: float) -> Callable[..., Awaitable[None]]:
    """The coroutine function with a limit of its own, which fails it alone.

    pytest-timeout cannot: raising out of the event loop leaves the test in it, and all tests after it wait; ending the
    process ends the other tests of the process too.
    """

    @functools.wraps(test)
    async def within(*arguments: Any, **options: Any) -> None:
        async with asyncio.timeout(seconds):
            await test(*arguments, **options)

    return within
