"""Where a worker or a gateway can be cut: at each question to the node, at each commit, at each signature.

A fate is told of every such point and decides: nothing, or an exception that ends what is being done, or a long sleep.
Points come one at a time, also where steps run side by side, so that the n-th is the same one each time.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from gateway.keys.signer import TransactionFields
from gateway.postgres.pool import Connection, Database


class Killed(Exception):
    """The worker was killed here."""


@dataclass
class Fate:
    """What happens at the points that are passed: nothing, in this one. `turn` lets through one at a time."""

    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def before(self, what: str) -> None:
        """Told before it is done. What this raises keeps it from being done."""

    async def after(self, what: str) -> None:
        """Told when it is done. What this raises keeps who asked for it from hearing so."""

    def signs(self) -> None:
        """Told before a relayer's key signs."""


class CutNode:
    """A node that asks a fate before and after each of its calls."""

    def __init__(self, node: Any, fate: Fate) -> None:
        self._node, self._fate = node, fate

    def __getattr__(self, name: str) -> Callable[..., Any]:
        async def call(*arguments: Any, **named: Any) -> Any:
            await self._fate.before(name)
            async with self._fate.turn:
                answer = await getattr(self._node, name)(*arguments, **named)
            await self._fate.after(name)
            return answer

        return call


class CutDatabase(Database):
    """A database whose client asks a fate before and after each of its commits."""

    def __init__(self, database: Database, fate: Fate) -> None:
        self.__dict__ |= database.__dict__
        self._fate = fate

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        async with self._fate.turn, super().transaction() as connection:
            yield connection
            await self._fate.before("commit")
        await self._fate.after("commit")

    def reading(self, *, answers: bool = True) -> AbstractAsyncContextManager[Connection]:
        return self._in_turn(super().reading(answers=answers))

    def one_statement(self) -> AbstractAsyncContextManager[Connection]:
        return self.reading()

    def snapshot(self) -> AbstractAsyncContextManager[Connection]:
        return self._in_turn(super().snapshot())

    @asynccontextmanager
    async def _in_turn(self, opened: AbstractAsyncContextManager[Connection]) -> AsyncIterator[Connection]:
        async with self._fate.turn, opened as connection:
            yield connection


class CutSigner:
    """A signer that asks a fate before each of its signatures."""

    def __init__(self, signer: Any, fate: Fate) -> None:
        self._signer, self._fate = signer, fate

    @property
    def address(self) -> str:
        return str(self._signer.address)

    def sign_transaction(self, fields: TransactionFields) -> tuple[bytes, bytes]:
        self._fate.signs()
        signed: tuple[bytes, bytes] = self._signer.sign_transaction(fields)
        return signed
