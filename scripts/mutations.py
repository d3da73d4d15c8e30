"""Takes one defence out at a time (mutations.toml), in a copy of the checkout, and runs the tests that are for it.

A mutation is caught when each of its tests fails, in one case at least where it has several. It is missed when one of
them passes, and broken when no test came to fail: its text is not there exactly once, nothing could be imported or set
up, or a test ended by its limit for hangs. First the tests of all chosen mutations run on the copy as it is: what fails
there shows nothing later, and ends the run.

Every mutation has the copy and its PostgreSQL; its own few tests run and no more. Those of a Solidity file are forge's,
compiled without the optimizer, which changes costs alone.
"""

import asyncio
import json
import os
import re
import shutil
import subprocess  # nosec B404 - fixed arguments, no shell
import sys
import tempfile
import time
import tomllib
import xml.etree.ElementTree as ET  # nosec B405 - what pytest has just written for us
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import rich_click as click

from gateway.embedded.supervise import Steps, embedded

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT / "scripts" / "mutations.toml"

#: The limit for hangs of a test, in seconds; one that ends by it has not caught anything.
_LIMIT_SECONDS = 150


@dataclass(frozen=True)
class Mutation:
    """`old` stands once in `file` and becomes `new`: then `guarantee` holds no longer, and each of `tests` fails."""

    name: str
    guarantee: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]

    def apply(self, tree: Path) -> str:
        """Write the file without the defence; the text as it was. Raises ValueError where it does not apply."""
        path = tree / self.file
        text = path.read_text(encoding="utf-8")
        if text.count(self.old) != 1:
            raise ValueError(f"{self.file} has {self.old!r} {text.count(self.old)} times")
        path.write_text(text.replace(self.old, self.new), encoding="utf-8")
        return text


def load(path: Path = DATA) -> list[Mutation]:
    """All mutations, in the file's order."""
    listed = tomllib.loads(path.read_text(encoding="utf-8"))["mutation"]
    return [Mutation(**{**one, "tests": tuple(one["tests"])}) for one in listed]


def copy(to: Path) -> None:
    """The checkout's files as they are now, without what git ignores, and the tools that scripts/setup installed."""
    argv = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=True).stdout  # nosec B603 # noqa: S603 - fixed
    for name in filter(None, names.split("\0")):
        if (ROOT / name).exists():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, to / name)
    for installed in (".venv", "contracts/node_modules"):
        (to / installed).symlink_to(ROOT / installed)


class Copy:
    """A copy of the checkout, and the PostgreSQL that its tests share."""

    def __init__(self, tree: Path, dsn: str) -> None:
        self._tree = tree
        self._environ = os.environ | {"PYTHONPATH": str(tree), "TEST_POSTGRES_URL": dsn}

    async def outcome(self, mutation: Mutation) -> str:
        """`caught`, `missed` and by which tests, or why it is broken."""
        try:
            before = mutation.apply(self._tree)
        except ValueError as error:
            return f"broken: {error}"
        try:
            failed, passed, broken = await self.run(mutation.tests)
        finally:
            (self._tree / mutation.file).write_text(before, encoding="utf-8")
        red = {_function(name) for name in failed}
        green = [name for test in mutation.tests if (name := test.partition("::")[2]) not in red]
        if not green:
            return "caught"
        return f"broken: {broken}" if broken else f"missed by {', '.join(green)}" if passed else "broken: no test ran"

    async def run(self, tests: Iterable[str]) -> tuple[list[str], list[str], str]:
        """Run tests: which failed and which passed, and what else happened."""
        tests = dict.fromkeys(tests)
        solidity = [test for test in tests if ".t.sol" in test]
        python = [test for test in tests if ".t.sol" not in test]
        failed, passed, broken = [], [], ""
        all_results = [await self._forge(test) for test in solidity]
        all_results += [await self._pytest(python)] if python else []
        for more_failed, more_passed, why in all_results:
            failed += more_failed
            passed += more_passed
            broken = broken or why
        return failed, passed, broken

    async def _pytest(self, tests: Sequence[str]) -> tuple[list[str], list[str], str]:
        report = self._tree / ".report.xml"
        report.unlink(missing_ok=True)
        options = ["-q", "-p", "no:cacheprovider", f"--junitxml={report}", "-o", f"timeout={_LIMIT_SECONDS}"]
        _, said = await self._execute([sys.executable, "-P", "-m", "pytest", *options, *tests], self._tree)
        if not report.exists():
            return [], [], said[-600:]
        failed, passed, broken = [], [], ""
        for case in ET.parse(report).iter("testcase"):  # nosec B314 # noqa: S314 - pytest wrote it
            name = case.get("name", "")
            if (error := case.find("error")) is not None:
                broken = f"{name}: {error.get('message', '')[:300]}"
            elif case.find("failure") is not None and float(case.get("time", 0)) > 0.8 * _LIMIT_SECONDS:
                broken = f"{name} hangs"
            else:
                (passed if case.find("failure") is None else failed).append(name)
        return failed, passed, broken

    async def _forge(self, test: str) -> tuple[list[str], list[str], str]:
        """`contracts/test/<file>::<function>`."""
        file, _, function = test.partition("::")
        (program,) = (ROOT / "contracts" / "node_modules" / "@foundry-rs").glob("forge-*/bin/forge")
        home = self._tree / "contracts" / "cache" / "home"
        home.mkdir(parents=True, exist_ok=True)
        cheap = {"FOUNDRY_OPTIMIZER": "false", "FOUNDRY_VIA_IR": "false", "HOME": str(home)}
        which = ["--match-path", file.removeprefix("contracts/"), "--match-test", rf"^{function}\b"]
        argv = [str(program), "test", "--json", *which]
        _, said = await self._execute(argv, self._tree / "contracts", **cheap)
        try:
            suites = json.loads(said[said.index("{") :])
        except ValueError:
            return [], [], said[-600:]
        results = {name: one["status"] for suite in suites.values() for name, one in suite["test_results"].items()}
        failed = [name for name, status in results.items() if status != "Success"]
        return failed, [name for name in results if name not in failed], ""

    async def _execute(self, argv: Sequence[str], folder: Path, **settings: str) -> tuple[int, str]:
        process = await asyncio.create_subprocess_exec(
            *argv,
            cwd=folder,
            env=self._environ | settings,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            said, _ = await process.communicate()
        except asyncio.CancelledError:
            process.terminate()
            await process.wait()
            raise
        assert process.returncode is not None
        return process.returncode, said.decode(errors="replace")


def _function(name: str) -> str:
    """The function of a test, as pytest and forge name it with its parameters."""
    return re.split(r"[\[(]", name, maxsplit=1)[0]


async def mutate(chosen: Sequence[Mutation]) -> int:
    """Try them one after the other; how many were not caught."""
    started, caught = time.monotonic(), 0  # one that was not tried, as after Ctrl-C, was not caught
    folder = Path(tempfile.mkdtemp(prefix="gateway-mutate-"))
    os.chmod(folder, 0o755)  # nosec B103 # noqa: S103 - PostgreSQL may run as another user, who must pass
    try:
        copy(tree := folder / "checkout")
        async with embedded(folder / "home", folder, chain=False, steps=Quiet()) as parts:
            here = Copy(tree, str(parts.dsn))
            failed, _, broken = await here.run(test for mutation in chosen for test in mutation.tests)
            if failed or broken:
                click.echo(f"the tests fail without any mutation: {', '.join(failed)} {broken}", err=True)
                return 1
            for mutation in chosen:
                since = time.monotonic()
                outcome = await here.outcome(mutation)
                caught += outcome == "caught"
                click.echo(f"{outcome:7} {mutation.name} ({time.monotonic() - since:.0f} s)")
    finally:
        shutil.rmtree(folder)
    click.echo(f"{caught} of {len(chosen)} caught in {time.monotonic() - started:.0f} s")
    return len(chosen) - caught


class Quiet(Steps):
    """Nothing is said of PostgreSQL."""

    def _write(self, plain: str, coloured: str, *, markup: bool) -> None: ...


@click.command()
@click.option("--only", multiple=True, metavar="NAME", help="Try this mutation alone; may be given again.")
@click.option("--list", "as_list", is_flag=True, help="Print the mutations' names and guarantees.")
def cli(only: tuple[str, ...], as_list: bool) -> None:
    """Take one defence out at a time, and see its own tests fail. The status is 0 if every mutation is caught.

    \b
    Example:
      scripts/mutate --only lone-payment-funds
    """
    there = {mutation.name: mutation for mutation in load()}
    if unknown := set(only) - there.keys():
        raise click.UsageError(f"there is no mutation {', '.join(sorted(unknown))}: see scripts/mutate --list")
    chosen = [there[name] for name in only] or list(there.values())
    if as_list:
        for mutation in chosen:
            click.echo(f"{mutation.name}: {mutation.guarantee}")
        return
    sys.exit(1 if asyncio.run(mutate(chosen)) else 0)


if __name__ == "__main__":
    cli()
