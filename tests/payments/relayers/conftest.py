"""A town with two relayers, what each was handed, and what happens to them."""

from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.chain.node import HttpNode
from gateway.clock import system_clock
from gateway.keys.signer import LOCAL_RELAYER_KEYS, RelayerSigner, fields_of
from gateway.payments.model.payment import Payment, State
from gateway.postgres.pool import Record
from gateway.worker import jobs
from tests.factory import Town

ETHER = 10**18

ONE, TWO = (RelayerSigner(key) for key in LOCAL_RELAYER_KEYS)


@pytest.fixture
async def wide(town: Town) -> Town:
    """A town with two relayers, each of which may settle and mint."""
    town.signers = (ONE, TWO)
    await town.deploy()
    await town.settle()
    return town


async def rows(town: Town, query: str, *arguments: object) -> list[Record]:
    async with town.database.reading() as connection:
        return await connection.fetch(query, *arguments)


async def states(town: Town, payments: list[Payment]) -> set[State]:
    return {(await town.payment(payment)).state for payment in payments}


async def relayer_of(town: Town, payment: Payment) -> RelayerSigner:
    """Which relayer carries the payment now."""
    (row,) = await rows(
        town,
        "SELECT t.relayer FROM payment JOIN token_authorization AS a ON a.id = payment.authorization_id "
        "JOIN chain_transaction AS t ON t.id = a.transaction_id WHERE payment.id = $1",
        payment.id,
    )
    return next(signer for signer in town.signers if signer.address == row["relayer"])  # type: ignore[return-value]


async def gateway_events(town: Town, kind: str) -> list[Record]:
    return await rows(town, "SELECT payload FROM event WHERE wallet_id IS NULL AND kind = $1 ORDER BY id", kind)


class Recording(HttpNode):
    """A node that notes what it was handed, in the order in which it had it."""

    def __init__(self, url: str, handed: list[bytes]) -> None:
        super().__init__(url)
        self.handed = handed

    async def send(self, raw: bytes) -> str | None:
        answer = await super().send(raw)
        self.handed.append(raw)
        return answer


async def handed_nonces(town: Town, handed: list[bytes]) -> dict[str, list[int]]:
    """The nonces of each relayer in the order in which a node first had them."""
    of = {row["raw"]: row["relayer"] for row in await rows(
        town, "SELECT raw, relayer FROM attempt JOIN chain_transaction AS t ON t.id = attempt.transaction_id"
    )}  # fmt: skip
    first: dict[str, list[int]] = {}
    for raw in handed:
        nonces = first.setdefault(of[raw], [])
        if fields_of(raw).nonce not in nonces:
            nonces.append(fields_of(raw).nonce)
    return first


async def use_elsewhere(town: Town, signer: RelayerSigner) -> None:
    """Somebody else signs with the relayer's key; what was in the pool is gone."""
    town.chain.rpc("anvil_dropAllTransactions")
    town.chain.rpc("eth_sendTransaction", {"from": signer.address, "to": signer.address})
    town.chain.mine(2)


async def look_twice(town: Town) -> None:
    await jobs.resend.run(town.worker())
    await jobs.resend.run(replace(town.worker(), clock=lambda: system_clock() + timedelta(minutes=1)))


async def set_balance(town: Town, signer: RelayerSigner, wei: int) -> None:
    town.chain.rpc("anvil_setBalance", signer.address, hex(wei))
