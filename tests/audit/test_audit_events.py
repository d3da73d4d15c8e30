"""What is an audit event: each security-relevant thing that is done today, with who did it."""

import pytest
from eth_account import Account
from eth_account.messages import encode_defunct
from eth_account.signers.local import LocalAccount

from gateway.audit import log
from gateway.chain.errors import InvalidSignature
from gateway.custody import bind
from gateway.identity.errors import InvalidChallenge
from gateway.identity.wallet import Wallet
from tests.factory import Town
from tests.payments.test_exported_key import exported
from tests.payments.test_withdrawal_freeze import freeze_by_difference, unfreeze_withdrawals

pytestmark = pytest.mark.anyio


async def audit_events(town: Town) -> list[tuple[str, str, dict[str, object]]]:
    """Kind, who did it and the details of every audit event, in order."""
    async with town.database.reading() as connection:
        return [(event.kind, event.by.kind, event.details) for event in reversed(await log.read(connection))]


async def test_a_handle_that_is_claimed_and_its_key_are_events_of_anyone(town: Town) -> None:
    await town.person("alice")
    assert await audit_events(town) == [
        ("wallet.created", "anyone", {"handle": "alice"}),
        ("api_key.created", "anyone", {"name": "sign-up"}),
    ]


async def test_an_exported_key_is_an_audit_event_of_whoever_asked_for_it(town: Town) -> None:
    alice = await town.person("alice")
    await exported(town, alice)
    assert (await audit_events(town))[2:] == [("wallet.key_exported", "api_key", {"address": alice.address})]


async def test_an_address_is_bound_and_what_does_not_bind_one_is_an_audit_event_too(town: Town) -> None:
    alice, key, other = await town.person("alice"), Account.create(), Account.create()
    text = await town.challenge(alice, key.address)
    for wrong, by in ((text, other), (text.replace("I bind", "I Bind"), key)):
        with pytest.raises((InvalidChallenge, InvalidSignature)):
            await _bind(town, alice, wrong, by)
    await town.bind(alice, key)

    bound = {"address": key.address, "custody": "owner", "before": alice.address}
    assert (await audit_events(town))[2:] == [
        ("address.refused", "anyone", {"why": "signature"}),
        ("address.refused", "anyone", {"why": "altered"}),
        ("wallet.bound", "anyone", bound),
    ]


async def test_a_difference_and_its_freeze_are_the_workers_and_the_unfreeze_is_of_who_ran_the_command(
    town: Town,
) -> None:
    alice = await town.person("alice", "20 USDX")
    await freeze_by_difference(town, alice.address, "25 USDX")
    await town.set_balance(alice.address, "20 USDX")
    await unfreeze_withdrawals(town)

    found = (await audit_events(town))[2:]
    assert [(kind, by) for kind, by, _ in found] == [
        ("solvency.difference", "worker"),
        ("withdrawals.frozen", "worker"),
        ("withdrawals.unfrozen", "command"),
    ]
    assert found[0][2]["account"] == "wallet:alice:USDX"


async def _bind(town: Town, of: Wallet, text: str, key: LocalAccount) -> None:
    signed = bytes(key.sign_message(encode_defunct(text=text)).signature)
    await bind.bind(town.database, town.node, town.settings, of, text, signed, log.ANYONE, town.clock())
