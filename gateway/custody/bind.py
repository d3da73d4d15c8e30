"""Bind an address that the owner controls to a wallet, replacing its current address.

The owner signs a challenge (custody/binding_challenge.py) with a key or by a contract. The gateway then reads the token
balances of both addresses from the chain, at the block that the ledger's cursor is at. One transaction, which checks
that the cursor has not moved, credits the balance of the new address to the wallet and starts a sweep (sweep.py) of the
old one, if the gateway keeps its key.

Binding is refused while payments from the old address are under way. It is also refused while an old address of the
owner's still has a balance, because the gateway cannot sweep it.
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

#: How many times the balances are read again because the cursor moved in the meantime.
_READS = 5


@dataclass(frozen=True, slots=True)
class AddressBalances:
    """Token balances of two addresses at the cursor's block: units by asset code. `old` is all 0 without an old
    address.
    """

    cursor: Cursor
    old: Mapping[str, int]
    new: Mapping[str, int]


async def create_challenge(
    connection: Connection, settings: PaymentSettings, of: Wallet, address: str, public_url: str, now: datetime
) -> SignIn:
    """Return the text to sign with the key of `address`.

    Raises InvalidAddress, AddressTaken, and NodeUnavailable if no token is deployed.
    """
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
    """Bind the address that the challenge names, on behalf of `by`. The node is called before the transaction, never
    inside it. An invalid text or signature is recorded as an audit event too, because it may be an attack.

    Repeating a challenge that has bound its address returns the wallet again. Raises InvalidChallenge,
    InvalidSignature, AddressTaken, AddressNotEmpty, PaymentsUnderWay, NodeUnavailable, Contended, and Forbidden as
    `check_guard` does.
    """
    try:
        async with database.reading() as connection:
            found = await binding_challenge.find(connection, of, text, now)
            # Keep `guarded` as it was when the caller was authenticated: `check_guard` compares with it.
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

    async def act(connection: Connection, on_chain: AddressBalances) -> Wallet:
        await binding_challenge.use(connection, of, found.sign_in, now)
        return await bind_at(connection, settings, of, found.sign_in.address, custody, on_chain, by, now)

    return await at_cursor(database, node, settings, of.address, found.sign_in.address, act)


async def at_cursor(
    database: Database,
    node: Node,
    settings: PaymentSettings,
    old: str | None,
    new: str,
    act: Callable[[Connection, AddressBalances], Awaitable[T]],
) -> T:
    """Call `act` in a transaction in which the cursor stays at the block whose balances it is given, and return its
    result. `old` is None if there is no old address. Raises Contended if the cursor moves on every attempt.
    """
    for _ in range(_READS):
        on_chain = await _read_balances(database, node, settings, [new] if old is None else [old, new])
        async with database.transaction() as connection:
            if await cursors.lock_if_at(connection, on_chain.cursor):
                return await act(connection, on_chain)
    raise Contended


async def check_address(connection: Connection, settings: PaymentSettings, address: str) -> str:
    """Return the address in EIP-55 form. Raises InvalidAddress if it is malformed or cannot be paid tokens."""
    checked = read(address)
    if checked is None:
        raise InvalidAddress(address[:60], "it is not 0x and 40 hex digits, in EIP-55's case or in one case")
    for reason in (await unpayable(connection, settings.contracts, [checked])).values():
        raise InvalidAddress(checked, reason)
    return checked


async def _read_balances(
    database: Database, node: Node, settings: PaymentSettings, addresses: list[str]
) -> AddressBalances:
    """Read the balances of one or two addresses, the new one last, at the cursor's block."""
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
    return AddressBalances(cursor, here, ahead)


async def bind_at(
    connection: Connection,
    settings: PaymentSettings,
    of: Wallet,
    address: str,
    custody: Literal["owner", "contract"],
    on_chain: AddressBalances,
    by: By,
    now: datetime,
) -> Wallet:
    """Bind the address, in a transaction that holds the cursor (`at_cursor`).

    Lock order: the cursor, which excludes every other binding; the challenge; accounts; nonces; then the wallet.
    """
    assert (await wallet.by_handle(connection, of.handle)).address == of.address, "who binds it holds the cursor"
    contracts = list(settings.contracts.values())
    if of.signs_itself:
        for contract in contracts:
            if on_chain.old[contract.asset.code]:
                raise AddressNotEmpty(of.address, Money(on_chain.old[contract.asset.code], contract.asset))

    sweeps = await _into_ledger(connection, of, contracts, on_chain, now)

    tokens = [asset.code for asset in settings.assets.tokens()]
    await authorization.close_nonces(connection, tokens, of.address)
    held = int(await connection.fetchval(records.sql.count_held, of.id))
    addresses = [row["address"] for row in await connection.fetch(wallet.sql.addresses, of.id)]
    under_way = held + await authorization.count_open(connection, tokens, addresses)
    if under_way:
        raise PaymentsUnderWay(of.address, under_way)
    await authorization.begin_nonces(connection, sorted((token, address) for token in tokens))
    await authorization.reopen_nonces(connection, tokens, address)
    new_sweeps = [NewSweep(one, address) for one in sweeps]
    await sweep.start(connection, settings.authorization_seconds, new_sweeps, now)
    await wallet.check_guard(connection, of)
    bound = await wallet.change_address(connection, of, address, custody, on_chain.cursor.number, now)
    details = {"address": bound.address, "custody": bound.custody, "before": of.address}
    await log.append(connection, [log.Event("wallet.bound", of.id, of.id, details)], now)
    await audit.append(connection, [AuditEvent("wallet.bound", of.id, by, of.id, details)], now)
    return bound


async def _into_ledger(
    connection: Connection, of: Wallet, contracts: list[Contract], on_chain: AddressBalances, now: datetime
) -> list[Sweep]:
    """Credit the balance of the new address to the wallet, and hold that of the old one until it has been swept."""
    coming = [one.asset for one in contracts if on_chain.new[one.asset.code]]
    following = [one.asset for one in contracts if on_chain.old[one.asset.code]]
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
        leg = Leg(outside, mine, on_chain.new[asset.code])
        steps.append(Transfer(id, "observation", id, (leg,), unconditional=True))
    for asset in following:
        mine, outside = ids[account.wallet(of.handle, asset)], ids[account.system_account("outside", asset)]
        sweeps.append(sweep.sweep_of(of.id, Money(on_chain.old[asset.code], asset), of.address, now))
        steps.append(sweep.hold_of(sweeps[-1], Leg(mine, outside, on_chain.old[asset.code])))
    ledger.all_done(await ledger.write(connection, steps, now))
    return sweeps


def chain_id_of(settings: PaymentSettings) -> int:
    """Return the id of the tokens' chain. Raises NodeUnavailable if no token is deployed yet."""
    for contract in settings.contracts.values():
        return contract.chain_id
    raise NodeUnavailable("no token has a contract yet; run 'gateway deploy'")
