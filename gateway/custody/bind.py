"""Bind an address of its owner's own to a wallet, in the place of the one that it has.

The owner signs a text that we wrote (custody/binding_challenge.py), with a key or by a contract. The chain is asked
what lies at both addresses, at the block up to which the ledger has seen it. Then, in one transaction and if the ledger
is there still: what is at the new one is the wallet's, and what is at the first, whose key we keep, is brought after it
(sweep.py).

Refused while anything of the wallet is on its way from the address it leaves, and while something lies at one of its
owner's own, which nobody could bring after it.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeVar

from msgspec.structs import replace

from gateway.address import read
from gateway.audit import log as audit
from gateway.audit.log import AuditEvent, By
from gateway.chain import signature
from gateway.chain.errors import InvalidSignature, NodeUnavailable
from gateway.chain.node import Node
from gateway.chain.token import authorization
from gateway.chain.token.contract import Contract
from gateway.chain.watcher import balances, cursors
from gateway.chain.watcher.cursors import Cursor
from gateway.custody import binding_challenge, sweep
from gateway.custody.errors import AddressNotEmpty, PaymentsUnderWay
from gateway.custody.sweep import NewSweep, Sweep
from gateway.events import log
from gateway.identity import wallet
from gateway.identity.errors import AddressTaken, InvalidChallenge
from gateway.identity.sign_in.siwe import SignIn, digest
from gateway.identity.wallet import Wallet
from gateway.ids import TransferId, new_id
from gateway.ledger import account, ledger
from gateway.ledger.transfer import Leg, Transfer
from gateway.money import Money
from gateway.payments.errors import InvalidAddress
from gateway.payments.model.settings import PaymentSettings
from gateway.payments.payees.unpayable import unpayable
from gateway.payments.records import records
from gateway.postgres.errors import Contended
from gateway.postgres.pool import Connection, Database

T = TypeVar("T")

#: How often the chain is asked anew because the ledger went on to another block meanwhile.
_LOOKS = 5


@dataclass(frozen=True, slots=True)
class There:
    """What lies at two addresses at the cursor's block, by asset code, in units; nothing at an old one that is none."""

    cursor: Cursor
    old: Mapping[str, int]
    new: Mapping[str, int]


async def ask(
    connection: Connection, settings: PaymentSettings, of: Wallet, address: str, public_url: str, now: datetime
) -> SignIn:
    """The text to sign with the key of `address`. Raises InvalidAddress, AddressTaken, NodeUnavailable (no token)."""
    checked = await check_address(connection, settings, address)
    row = await connection.fetchrow(wallet.sql.address, checked)
    if row is not None and (row["wallet_id"] != of.id or row["custody"] == "gateway" or checked == of.address):
        raise AddressTaken(checked)
    return await binding_challenge.write(connection, of, checked, public_url, chain_id_of(settings), now)


async def bind(
    database: Database,
    node: Node | None,
    settings: PaymentSettings,
    of: Wallet,
    text: str,
    signed: bytes,
    by: By,
    now: datetime,
) -> Wallet:
    """Bind the address that the text names, as `by` asks. The network is asked before the transaction, never inside it.
    A text or a signature that is not good is an audit event too: somebody may be trying.

    What has bound it already is answered again. Raises InvalidChallenge, InvalidSignature, AddressTaken,
    AddressNotEmpty, PaymentsUnderWay, NodeUnavailable, Contended, and Forbidden as of `check_guard`.
    """
    try:
        async with database.reading() as connection:
            found = await binding_challenge.find(connection, of, text, now)
            # `guarded` stays as it was when the caller was let in, which is what `check_guard` compares with.
            of = replace(await wallet.by_handle(connection, of.handle), guarded=of.guarded)
        if node is None:
            raise NodeUnavailable("GATEWAY_RPC_URL is not set")
        custody, _ = await signature.check_any(node, found.sign_in.address, digest(text), signed)
    except (InvalidChallenge, InvalidSignature) as refused:
        why = refused.kind if isinstance(refused, InvalidChallenge) else "signature"
        async with database.transaction() as connection:
            await audit.append(connection, [AuditEvent("address.refused", of.id, by, of.id, {"why": why})], now)
        raise
    if found.used_at is not None:
        if of.address != found.sign_in.address:
            raise InvalidChallenge("unknown", "it was used before, and the wallet has moved on: ask for a new one")
        return of

    async def act(connection: Connection, there: There) -> Wallet:
        await binding_challenge.use(connection, of, found.sign_in, now)
        return await bind_at(connection, settings, of, found.sign_in.address, custody, there, by, now)

    return await where_the_ledger_is(database, node, settings, of.address, found.sign_in.address, act)


async def where_the_ledger_is(
    database: Database,
    node: Node,
    settings: PaymentSettings,
    old: str | None,
    new: str,
    act: Callable[[Connection, There], Awaitable[T]],
) -> T:
    """What `act` does in a transaction, in which the ledger stays at the block for which the chain was asked what lies
    at both addresses; None: there is no old one. Raises Contended where the ledger goes on each time.
    """
    for _ in range(_LOOKS):
        there = await _look(database, node, settings, [new] if old is None else [old, new])
        async with database.transaction() as connection:
            if await cursors.stands(connection, there.cursor):
                return await act(connection, there)
    raise Contended


async def check_address(connection: Connection, settings: PaymentSettings, address: str) -> str:
    """An address that tokens may be paid to, as EIP-55 writes it. Raises InvalidAddress."""
    checked = read(address)
    if checked is None:
        raise InvalidAddress(address[:60], "it is not 0x and 40 hex digits, in EIP-55's case or in one case")
    for reason in (await unpayable(connection, settings.contracts, [checked])).values():
        raise InvalidAddress(checked, reason)
    return checked


async def _look(database: Database, node: Node, settings: PaymentSettings, addresses: list[str]) -> There:
    """What the chain has at one or two addresses, the new one last, where the ledger is."""
    async with database.reading() as connection:
        cursor = await cursors.read(connection, chain_id_of(settings))
    if cursor is None:
        raise NodeUnavailable("the chain was not read yet")
    contracts = list(settings.contracts.values())
    here, ahead = dict[str, int](), dict[str, int]()
    for contract in contracts:
        code = contract.asset.code
        *before, ahead[code] = await balances.read(node, contract, addresses, cursor.number)
        here[code] = sum(before)
    return There(cursor, here, ahead)


async def bind_at(
    connection: Connection,
    settings: PaymentSettings,
    of: Wallet,
    address: str,
    custody: Literal["owner", "contract"],
    there: There,
    by: By,
    now: datetime,
) -> Wallet:
    """Bind the address, in a transaction that holds the ledger where it is (`where_the_ledger_is`).

    Lock order: the cursor, and with it every other binding; the challenge; accounts; nonces; then the wallet.
    """
    assert (await wallet.by_handle(connection, of.handle)).address == of.address, "who binds it holds the cursor"
    contracts = list(settings.contracts.values())
    if of.signs_itself:
        for contract in contracts:
            if there.old[contract.asset.code]:
                raise AddressNotEmpty(of.address, Money(there.old[contract.asset.code], contract.asset))

    sweeps = await _into_ledger(connection, of, contracts, there, now)

    tokens = [asset.code for asset in settings.assets.tokens()]
    await authorization.leave(connection, tokens, of.address)
    held = int(await connection.fetchval(records.sql.count_held, of.id))
    addresses = [row["address"] for row in await connection.fetch(wallet.sql.addresses, of.id)]
    under_way = held + await authorization.count_open(connection, tokens, addresses)
    if under_way:
        raise PaymentsUnderWay(of.address, under_way)
    await authorization.begin_nonces(connection, sorted((token, address) for token in tokens))
    await authorization.come_back(connection, tokens, address)
    new_sweeps = [NewSweep(one, address) for one in sweeps]
    await sweep.start(connection, settings.authorization_seconds, new_sweeps, now)
    await wallet.check_guard(connection, of)
    bound = await wallet.change_address(connection, of, address, custody, there.cursor.number, now)
    details = {"address": bound.address, "custody": bound.custody, "before": of.address}
    await log.append(connection, [log.Event("wallet.bound", of.id, of.id, details)], now)
    await audit.append(connection, [AuditEvent("wallet.bound", of.id, by, of.id, details)], now)
    return bound


async def _into_ledger(
    connection: Connection, of: Wallet, contracts: list[Contract], there: There, now: datetime
) -> list[Sweep]:
    """What is at the new address is the wallet's; what is at the first one is set aside until it is there as well."""
    coming = [one.asset for one in contracts if there.new[one.asset.code]]
    following = [one.asset for one in contracts if there.old[one.asset.code]]
    wanted = [(account.wallet(of.handle, asset), asset) for asset in {*coming, *following}]
    wanted += [(account.system_account("outside", asset), asset) for asset in {*coming, *following}]
    if not wanted:
        return []
    ids = await ledger.accounts(connection, wanted)
    steps: list[Transfer] = []
    sweeps: list[Sweep] = []
    for asset in coming:
        mine, outside = ids[account.wallet(of.handle, asset)], ids[account.system_account("outside", asset)]
        id = TransferId(new_id(now))
        leg = Leg(outside, mine, there.new[asset.code])
        steps.append(Transfer(id, "observation", id, (leg,), unconditional=True))
    for asset in following:
        mine, outside = ids[account.wallet(of.handle, asset)], ids[account.system_account("outside", asset)]
        sweeps.append(sweep.sweep_of(of.id, Money(there.old[asset.code], asset), of.address, now))
        steps.append(sweep.hold_of(sweeps[-1], Leg(mine, outside, there.old[asset.code])))
    ledger.all_done(await ledger.write(connection, steps, now))
    return sweeps


def chain_id_of(settings: PaymentSettings) -> int:
    """The chain that the tokens are on. Raises NodeUnavailable while none is deployed."""
    for contract in settings.contracts.values():
        return contract.chain_id
    raise NodeUnavailable("no token has a contract yet; run 'gateway deploy'")
