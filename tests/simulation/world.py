"""The world that a day happens in: a database and a chain of its own, people, strangers, a clock that all of them read.

Everything that could differ from one run to the next comes from the seed: acts, amounts, keys, ids, the time. So a seed
is the same day each time, down to the hashes of its blocks.
"""

import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch
from uuid import UUID

from coincurve import PrivateKey
from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_hash.auto import keccak

from gateway import ids
from gateway.address import checksum, of_public_key
from gateway.chain.node import HttpNode
from gateway.keys import vault as vaults
from gateway.keys.signer import LOCAL_RELAYER_KEYS, RelayerSigner
from gateway.keys.vault import Vault
from gateway.money import Assets
from gateway.postgres.pool import Database
from tests.anvils import Chain
from tests.factory import NOW, Town
from tests.other_node import OtherNode, in_front_of

#: anvil's second key, for a third relayer.
THIRD_LANE_KEY = bytes.fromhex("59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d")

#: Of anvil's accounts: who pauses and freezes, and the strangers.
GUARD, STRANGERS = 2, range(3, 8)

#: What who wants to be first in a block pays for gas.
FIRST = {"maxFeePerGas": hex(2_000 * 10**9), "maxPriorityFeePerGas": hex(100 * 10**9)}


class Violation(AssertionError):
    """Something that must always be true, and was not."""


@dataclass
class DayClock:
    """A time that goes on when it is looked at, by a millisecond, and when somebody says so."""

    now: datetime = NOW

    def __call__(self) -> datetime:
        self.now += timedelta(milliseconds=1)
        return self.now

    def ahead(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@dataclass
class DayChain(Chain):
    """A chain whose blocks are of the day's time."""

    clock: DayClock = field(default_factory=DayClock)

    def mine(self, blocks: int = 1) -> None:
        for _ in range(blocks):
            self.clock.ahead(1)
            self.rpc("evm_setNextBlockTimestamp", int(self.clock.now.timestamp()))
            self.rpc("evm_mine")


class DayVault(Vault):
    """A vault whose keys come from the seed, and are known to their owners too: who exports a key can sign with it."""

    def __init__(self, rng: random.Random) -> None:
        super().__init__(bytes(range(32)))
        self._rng = rng
        self.known: dict[str, PrivateKey] = {}

    def new_key(self, wallet_id: UUID, handle: str, under: bytes | None = None) -> tuple[str, bytes]:
        key = PrivateKey(self._rng.randbytes(32))
        address = of_public_key(key.public_key.format(compressed=False))
        self.known[address] = key
        nonce = self._rng.randbytes(12)
        ciphertext = nonce + self._cipher(under).encrypt(nonce, key.secret, vaults._PURPOSE + wallet_id.bytes)
        return address, ciphertext

    def own_key(self) -> LocalAccount:
        """A key that the gateway has not."""
        secret = self._rng.randbytes(32)
        key: LocalAccount = Account.from_key(secret)
        self.known[key.address] = PrivateKey(secret)
        return key


@dataclass
class Person:
    """Somebody with a handle. Who has `left` moved tokens with the key of their own, behind the gateway's back.

    `own` is a key that only they have, whose address they want to bind, or have bound: then it is their `address`, and
    the one that they had is among those `before`, which stay theirs.
    """

    handle: str
    address: str
    api_key: str
    left: bool = False
    own: LocalAccount | None = None
    before: list[str] = field(default_factory=list)

    @property
    def addresses(self) -> list[str]:
        return [*self.before, self.address]

    def moves_to(self, address: str) -> None:
        self.before.append(self.address)
        self.address = address


@dataclass
class World:
    """One day's world. `seen` counts what happened, by kind; `diary` says it in order."""

    seed: int
    rng: random.Random
    clock: DayClock
    chain: DayChain
    town: Town
    node: HttpNode  #: The real one, which no fault touches.
    other: OtherNode  #: What stands in front of it for one of the workers, and answers as other nodes do now and then.
    odd: HttpNode  #: The node, asked through that.
    spectator: Database  #: For those who look and change nothing; no fate touches it.
    vault: DayVault
    people: list[Person] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)
    guard: str = ""
    seen: Counter[str] = field(default_factory=Counter)
    diary: list[str] = field(default_factory=list)
    step: int = 0

    @property
    def tokens(self) -> list[str]:
        return sorted(self.town.settings.contracts)

    @property
    def unbound(self) -> list[str]:
        """The addresses that somebody wants to bind, and has not that anybody knows."""
        return [one.own.address for one in self.people if one.own is not None and not one.before]

    def owner_of(self, address: str) -> Person | None:
        """Whose an address is, in any case of its letters; None of a stranger's."""
        at = address.lower()
        return next((one for one in self.people if at in (held.lower() for held in one.addresses)), None)

    def holder(self, address: str) -> str:
        """By what to add up what somebody has: their handle, however many addresses they have, or else the address."""
        owner = self.owner_of(address)
        return f"@{owner.handle}" if owner is not None else address.lower()

    def token_at(self, code: str) -> str:
        return self.town.settings.contracts[code].address

    def say(self, text: str) -> None:
        self.diary.append(f"{self.step:5}  {self.clock.now:%d %H:%M:%S}  {text}")

    def saw(self, kind: str, text: str = "") -> None:
        """Note that something of a kind happened."""
        self.seen[kind] += 1
        self.say(f"{kind}{': ' if text else ''}{text}")

    def violated(self, invariant: str, what: object) -> Violation:
        acts = "\n".join(self.diary[-40:])
        return Violation(f"seed {self.seed}, step {self.step}: {invariant}: {what}\nthe last acts:\n{acts}")

    async def rows(self, query: str, *arguments: object) -> list[Any]:
        async with self.spectator.reading() as connection:
            return await connection.fetch(query, *arguments)

    def transact(self, sender: str, to: str, data: bytes, **fields: object) -> str | None:
        """Somebody's own transaction, handed to the pool without a look whether it will succeed. Returns its hash; None
        where the node does not take it, for want of gas money.
        """
        asked = {"from": sender, "to": to, "data": "0x" + data.hex(), "gas": hex(300_000), **fields}
        try:
            return str(self.chain.rpc("eth_sendTransaction", asked))
        except AssertionError as refused:
            self.say(f"the node did not take a transaction of {sender[:8]}: {refused}")
            return None

    def address_word(self, address: str) -> bytes:
        return bytes.fromhex(address[2:]).rjust(32, b"\0")


@asynccontextmanager
async def world(
    seed: int, database: Database, spectator: Database, chain: Chain, assets: Assets
) -> AsyncIterator[World]:
    """A world with its contracts deployed and its relayers, where nobody is yet."""
    rng, keys, clock = random.Random(seed), random.Random(f"keys of {seed}"), DayClock()
    timed, node, vault = DayChain(chain.url, chain.process, clock), HttpNode(chain.url), DayVault(keys)
    accounts = [checksum(bytes.fromhex(one[2:])) for one in timed.rpc("eth_accounts")]
    timed.rpc("anvil_autoImpersonateAccount", True)

    town = Town(database, timed, node, assets, vault)
    town.clock, town.FINALITY = clock, rng.randint(1, 4)
    town.signers = tuple(RelayerSigner(key) for key in (*LOCAL_RELAYER_KEYS, THIRD_LANE_KEY)[: rng.randint(2, 3)])
    with patch.object(ids, "os", SimpleNamespace(urandom=keys.randbytes)):
        await town.deploy()
        for code in sorted(town.settings.contracts):
            for role in (b"PAUSER_ROLE", b"FREEZER_ROLE"):
                guard = bytes.fromhex(accounts[GUARD][2:])
                await town.command("grantRole", keccak(role), guard, code=code)
        async with in_front_of(timed, seed=seed, passes_on=True) as other:
            odd = HttpNode(other.url, now=lambda: clock.now.timestamp())
            made = World(seed, rng, clock, timed, town, node, other, odd, spectator, vault)
            made.guard, made.strangers = accounts[GUARD], [accounts[n] for n in STRANGERS]
            yield made
            await odd.close()
    await node.close()
    timed.close()
