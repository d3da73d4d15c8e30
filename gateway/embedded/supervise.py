"""Start the parts, keep them running, and stop them in order.

    async with embedded(home, node_modules, database=True, chain=True) as parts:
        ...                                    # parts.dsn, parts.rpc_url: migrate, deploy
        await parts.run([Command(...), ...])   # until Ctrl-C, SIGTERM or SIGHUP

Order: PostgreSQL, the chain, the commands; they are stopped in reverse. A part that ends unexpectedly is restarted, at
once the first time and then with growing pauses, and the others keep running: they see it as unavailable. Only a
command that has never worked ends the run: a person has to see what is wrong with it.
"""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from rich.console import Console

from gateway.embedded.anvil import Anvil
from gateway.embedded.children import Child, Children
from gateway.embedded.postgres import Postgres
from gateway.errors import GatewayError, Misconfigured
from gateway.escape import for_terminal

_PAUSES_SECONDS: Final = (0.0, 0.2, 0.5, 1.0, 2.0, 5.0)  # Before each restart; the last for all that follow.
_WELL_AFTER_SECONDS: Final = 30.0  # A part that ran this long is restarted without a pause again.
_TRIM_SECONDS: Final = 60.0
_STOP_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stopped(GatewayError):
    """Ctrl-C or a signal while the parts were being started; those that had started are stopped again."""

    says = "stopped before everything had started"


class Part(Protocol):
    """Something that can be started, watched and stopped, any number of times."""

    @property
    def name(self) -> str: ...

    async def start(self) -> None: ...

    async def died(self) -> str:
        """Wait until it has ended. Returns how, as text after its name: `ended (exit status 1)`, `does not answer
        (...)`.
        """

    async def stop(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Command:
    """A program to keep running: `the HTTP server`, whose log is `http-server.log`.

    `settings` are added to the environment. `ready` returns whether it works: it is called repeatedly, and is left out
    for a program that works as soon as it runs.
    """

    name: str
    argv: Sequence[str]
    settings: Mapping[str, str] | None = None
    ready: Callable[[], Awaitable[bool]] | None = None
    ready_seconds: float = 30.0
    grace_seconds: float = 5.0


class Steps:
    """Progress on the terminal: a line for each step with the time it took, in colour on a terminal, plain
    elsewhere.
    """

    def __init__(self) -> None:
        self._console = Console(highlight=False, soft_wrap=True) if sys.stdout.isatty() else None

    def say(self, text: str) -> None:
        text = for_terminal(text)
        self._write(text, text, markup=False)

    @contextmanager
    def step(self, text: str) -> Iterator[None]:
        begun = time.monotonic()
        yield
        seconds = f"{time.monotonic() - begun:.2f} s"
        self._write(f"{text}: {seconds}", f"[green]✓[/] {text} [dim]{seconds}[/]", markup=True)

    def _write(self, plain: str, coloured: str, *, markup: bool) -> None:
        try:
            if self._console:
                self._console.print(coloured, markup=markup)
            else:
                print(plain, flush=True)
        except BrokenPipeError:
            # The reader has gone, as in `gateway up | head`. The parts keep running, and nothing is printed.
            nobody = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nobody, sys.stdout.fileno())
            os.close(nobody)


class Parts:
    """The running parts, and the programs that run beside them."""

    def __init__(self, children: Children, steps: Steps) -> None:
        self.postgres: Postgres | None = None
        self.anvil: Anvil | None = None
        self.stopped = False  # A signal asked for the end.
        self.started = asyncio.Event()  # Every command of `run` works.
        self._children = children
        self._steps = steps
        self._stop = asyncio.Event()
        self._keepers: list[asyncio.Task[None]] = []
        self._owner: asyncio.Task[object] | None = asyncio.current_task()
        self._running = False

    @property
    def dsn(self) -> str | None:
        return self.postgres.dsn if self.postgres else None

    @property
    def rpc_url(self) -> str | None:
        return self.anvil.url if self.anvil else None

    async def run(self, commands: Sequence[Command]) -> None:
        """Start the commands in order and keep everything running, until `stop` or a signal.

        Raises Misconfigured, with the last lines of its log, for a command that ended before it ever worked.
        """
        programs = [_Program(command, self._children) for command in commands]
        self._running = True
        stopping = asyncio.create_task(self._stop.wait())
        try:
            for program in programs:
                if not await self._unless_stopped(stopping, self.keep(program)):
                    return
            self.started.set()
            await stopping
        finally:
            stopping.cancel()
            await self._forget()
            with self._steps.step("stopped " + " and ".join(program.name for program in programs)):
                await asyncio.gather(*(program.stop() for program in programs))
            self._running = False

    async def keep(self, part: Part) -> None:
        """Start a part, report it, and restart it whenever it ends."""
        with self._steps.step(f"started {part.name}"):
            await part.start()
        self._keepers.append(asyncio.create_task(self._watch(part), name=f"keep {part.name}"))

    def stop(self) -> None:
        """Ask for the end: `run` returns or, before `run` is reached, the block of `embedded` is left."""
        if not self.stopped:
            self.stopped = True
            self._stop.set()
            if not self._running and self._owner:
                self._owner.cancel()

    async def _watch(self, part: Part) -> None:
        fails = 0
        while True:
            begun = time.monotonic()
            how = await part.died()
            fails = 0 if time.monotonic() - begun > _WELL_AFTER_SECONDS else fails
            self._steps.say(f"{part.name} {how}; starting it again")
            while True:
                await asyncio.sleep(_PAUSES_SECONDS[min(fails, len(_PAUSES_SECONDS) - 1)])
                fails += 1
                try:
                    with self._steps.step(f"started {part.name} again"):
                        await part.start()
                    break
                except (GatewayError, OSError) as error:
                    self._steps.say(f"{part.name} does not start: {error}")

    async def _unless_stopped(self, stopping: "asyncio.Task[object]", what: Awaitable[None]) -> bool:
        task = asyncio.ensure_future(what)
        await asyncio.wait({task, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            return False
        await task
        return True

    async def _forget(self) -> None:
        """Stop watching, before the parts are stopped on purpose."""
        keepers, self._keepers = self._keepers, []
        for keeper in keepers:
            keeper.cancel()
        await asyncio.gather(*keepers, return_exceptions=True)


class _Program:
    """A command as a part."""

    def __init__(self, command: Command, children: Children) -> None:
        self.name = command.name
        self._file = command.name.removeprefix("the ").lower().replace(" ", "-")
        self._command = command
        self._children = children
        self._child: Child | None = None

    async def start(self) -> None:
        command = self._command
        self._child = child = await self._children.start(
            self._file, command.argv, settings=command.settings, if_we_die=signal.SIGTERM
        )
        give_up = time.monotonic() + command.ready_seconds
        while command.ready and not await command.ready():
            if not child.running:
                how = await child.ended()
                await self._children.sweep(child)
                raise Misconfigured(f"{self.name} ended ({how}): {child.last_lines()}")
            if time.monotonic() > give_up:
                await self._children.end(child, signal.SIGTERM, command.grace_seconds)
                raise Misconfigured(
                    f"{self.name} does not work after {command.ready_seconds:.0f} s: {child.last_lines()}"
                )
            await asyncio.sleep(0.02)

    async def died(self) -> str:
        assert self._child is not None
        how = await self._child.ended()
        await self._children.sweep(self._child)
        # If a signal killed it, it printed nothing; otherwise its last line says why it ended.
        said = "" if how.startswith("signal") else self._child.last_lines(1)
        return f"ended ({how}: {said})" if said else f"ended ({how})"

    async def stop(self) -> None:
        if self._child:
            await self._children.end(self._child, signal.SIGTERM, self._command.grace_seconds)
            self._child = None


@asynccontextmanager
async def embedded(
    home: Path,
    node_modules: Path,
    *,
    database: bool = True,
    chain: bool = True,
    block_seconds: float = 0.5,
    confirmations: int = 2,
    steps: Steps | None = None,
) -> AsyncIterator[Parts]:
    """The parts of one home, from here to the end of the block, however it ends.

    `home` is created if it does not exist, `node_modules` is where npm put anvil, `confirmations` is how many blocks
    are mined on top of the last one with a transaction. SIGINT, SIGTERM and SIGHUP leave the block as if it had ended,
    with `parts.stopped` set; before the block is entered they raise Stopped. SIGHUP stays ignored if it was ignored
    before; SIGINT does not, because a shell ignores it for everything that it starts in the background.

    Raises Misconfigured if the home is in use or a part cannot run here.
    """
    if sys.platform != "linux":
        raise Misconfigured("the embedded parts need Linux: set GATEWAY_DATABASE_URL and GATEWAY_RPC_URL")
    steps = steps or Steps()
    loop = asyncio.get_running_loop()
    async with AsyncExitStack() as stack:
        children = await Children.claim(home := home.absolute())  # noqa: ASYNC240 - no disk behind it
        stack.push_async_callback(children.release)
        parts = Parts(children, steps)
        for what in _STOP_SIGNALS:
            if what == signal.SIGHUP and signal.getsignal(what) is signal.SIG_IGN:
                continue  # nohup(1): it outlives the terminal
            loop.add_signal_handler(what, parts.stop)
            stack.callback(loop.remove_signal_handler, what)
        trimmer = asyncio.create_task(_trim(children))
        stack.callback(trimmer.cancel)
        begun = False
        try:
            if database:
                parts.postgres = Postgres(home, children)
                stack.push_async_callback(_stop, parts.postgres, steps)
                await parts.keep(parts.postgres)
            if chain:
                parts.anvil = Anvil(
                    home,
                    children,
                    node_modules,
                    block_seconds=block_seconds,
                    confirmations=confirmations,
                    say=steps.say,
                )
                stack.push_async_callback(_stop, parts.anvil, steps)
                await parts.keep(parts.anvil)
            begun = True
            yield parts
        except asyncio.CancelledError:
            if not parts.stopped:
                raise
            if task := asyncio.current_task():
                task.uncancel()
            if not begun:
                raise Stopped from None
        finally:
            await parts._forget()


async def _stop(part: Part, steps: Steps) -> None:
    with steps.step(f"stopped {part.name}"):
        await part.stop()


async def _trim(children: Children) -> None:
    while True:
        await asyncio.sleep(_TRIM_SECONDS)
        await asyncio.to_thread(children.trim_logs)
