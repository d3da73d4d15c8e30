"""The part of this checkout in a comparison that another one makes (revision.py): `python -m benchmarks.offer JSON`.

The JSON says which server and home (`dsn`, `home`), a `command` and its `arguments`; the last line printed is the
answer, in JSON. Commands and arguments must stay as they are, or older revisions cannot be
compared.

    settle   a database with a town whose callers are of a kind
    sign_in  sessions for all its wallets
    direct   payments by the gateway's own statement, without HTTP
    check    what is wrong with its books
"""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks import books, callers, direct, town
from benchmarks.callers import CALLERS
from benchmarks.rig import Ledger, Rig, Running


async def settle(rig: Rig, database: str, handles: int, caller: str) -> None:
    await town.settle(rig, database, handles)
    async with rig.connected(database) as connection:
        await callers.prepare(connection, CALLERS[caller])


async def sign_in(rig: Rig, database: str, run: str) -> None:
    async with rig.connected(database) as connection:
        await callers.sign_in(connection, run)


async def pay_directly(rig: Rig, database: str, handles: int, loaded: int, group: int, seconds: float) -> Any:
    ledger = Ledger(database, handles, loaded)
    return asdict(await direct.pay(rig, ledger, group, seconds)) | {"loaded": ledger.loaded}


async def check(rig: Rig, ids: list[str], **tally: Any) -> list[str]:
    return list((await books.check(rig, Ledger(ids=[Path(file) for file in ids], **tally))).faults)


_COMMANDS: dict[str, Callable[..., Awaitable[Any]]] = {
    "settle": settle,
    "sign_in": sign_in,
    "direct": pay_directly,
    "check": check,
}


def main(text: str) -> None:
    asked = json.loads(text)
    rig = Rig(Path(asked["home"]), None, Running(asked["dsn"]))
    print(json.dumps(asyncio.run(_COMMANDS[asked["command"]](rig, **asked["arguments"]))))


if __name__ == "__main__":
    main(sys.argv[1])
