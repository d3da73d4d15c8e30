"""A payment out of an address whose key the gateway does not have: signed by its owner, submitted by the client, and
settled on a chain.
"""

import asyncio
from uuid import uuid4

import pytest
from eth_account import Account
from eth_account.messages import encode_defunct
from eth_account.signers.local import LocalAccount

from gateway.client import AsyncClient, Client
from tests.client.conftest import EitherClient, either_client
from tests.client.test_owners_calls import refused
from tests.processes import HANG_SECONDS
from tests.running import Up

pytestmark = pytest.mark.anyio

Kind = type[Client] | type[AsyncClient]


def signed(key: LocalAccount, data: object) -> str:
    return "0x" + bytes(key.sign_typed_data(full_message=data).signature).hex()


def bound_to(up: Up, handle: str) -> LocalAccount:
    """The key of an address that the handle is bound to from now on."""
    key: LocalAccount = Account.create()
    text = up.api(handle, "/v1/wallet/address/challenge", address=key.address)["message"]
    signature = "0x" + bytes(key.sign_message(encode_defunct(text=text)).signature).hex()
    up.api(handle, "/v1/wallet/address", message=text, signature=signature)
    return key


async def until_there(face: EitherClient, amount: str) -> None:
    """Until this much of USDX can be spent: tokens follow from the address before."""
    async with asyncio.timeout(HANG_SECONDS):
        while True:
            balances = (await face.call(face.client.wallet.get)).balances
            if [one.available for one in balances if one.asset == "USDX"] == [amount]:
                return


async def test_a_token_payment_that_its_owners_key_signs_is_settled(kind: Kind, up: Up) -> None:
    name = uuid4().hex[:8]
    payer, payee = up.someone(f"signs_{name}", USD="10.00"), up.someone(f"gets_{name}")
    api_key = (up.home / "keys" / payer.removeprefix("@")).read_text().strip()
    async with either_client(kind, up.place("api_url"), api_key) as face:
        client = face.client
        await face.call(client.bank.convert, "10.00", "USD", "USDX")
        await until_there(face, "10.000000")
        key = await asyncio.to_thread(bound_to, up, payer)
        await until_there(face, "10.000000")

        asked = await face.call(client.payments.create, payee, "2.50", "USDX")
        assert (asked.state, asked.to_sign["message"]["from"]) == ("requires_confirmation", key.address)
        assert [one.id for one in await face.all(client.payments.waiting())] == [asked.id]
        other = signed(Account.create(), asked.to_sign)
        assert await refused(face, client.payments.sign, asked.id, other) == "invalid_signature"

        queued = await face.call(client.payments.sign, asked.id, signed(key, asked.to_sign))
        assert (queued.id, queued.state, queued.to_sign) == (asked.id, "queued", None)
        assert await face.all(client.payments.waiting()) == []
        settled = await face.call(client.payments.wait, asked.id, timeout=HANG_SECONDS)
        assert (settled.state, settled.from_, settled.to, settled.amount) == ("settled", payer, payee, "2.500000")

    receipt = up.rpc("eth_getTransactionReceipt", settled.tx_hash)
    assert receipt["status"] == "0x1"
    transfer = [one for one in receipt["logs"] if f"0x{key.address[2:].lower():0>64}" in one["topics"]]
    assert int(transfer[-1]["data"], 16) == 2_500_000
    assert up.available(payee, "USDX") == "2.500000"
