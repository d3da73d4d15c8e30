"""Runs wrk with one of the Lua scripts beside this file, and reads its result."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_LUA = Path(__file__).parent


@dataclass(frozen=True)
class Told:
    """The result of one wrk: the fields of the line that common.lua writes. Times are in microseconds."""

    microseconds: int
    asked: int
    acknowledged: int
    refused: int
    broken: int
    p50: int
    p99: int
    each: int  #: Payments a request.
    first_refusal: str


async def run(url: str, script: str, threads: int, connections: int, seconds: float, arguments: Sequence[str]) -> Told:
    process = await asyncio.create_subprocess_exec(
        *("wrk", f"-t{threads}", f"-c{connections}", f"-d{max(round(seconds), 1)}s", "--timeout", "15s"),
        *("-s", f"{script}.lua", url, "--", *arguments),
        cwd=_LUA,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        said, _ = await process.communicate()
    finally:
        if process.returncode is None:  # we are being stopped
            process.kill()
            await process.wait()
    lines = [line for line in said.decode().splitlines() if line.startswith("RESULT\t")]
    if process.returncode or not lines:
        raise RuntimeError(f"wrk failed: {said.decode()[-2000:]}")
    *numbers, first_refusal = lines[0].split("\t")[1:]
    told = Told(*(int(one) for one in numbers), first_refusal)
    check_in_flight(told.asked - told.acknowledged - told.refused, told.each, connections + told.broken)
    return told


def check_in_flight(unanswered: int, each: int, connections: int) -> None:
    """Each connection waits for at most one answer, of so many payments. Raises RuntimeError if more are unanswered:
    then requests were counted that were never sent, and the cost per payment would come out too low.
    """
    if not 0 <= unanswered <= each * connections:
        raise RuntimeError(f"wrk left {unanswered} payments unanswered: {connections} connections, {each} a request")
