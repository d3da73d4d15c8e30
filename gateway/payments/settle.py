"""What final blocks say, into the book: in block order, once, whatever we had expected.

A final Transfer log either settles a payment or a conversion of ours, known by its payer and nonce, or it is a fact
from outside: tokens that somebody moved with their own key. Both are posted, each log once (`observation_once`). What
the contract skipped for good gives the money back. So does what it can settle no more because its time is over, if it
says itself, at the span's last block, that it has not settled it: money never comes back because we saw nothing.

The span and the contract's answers were read from the node beforehand; here is one PostgreSQL transaction, and the
cursor moves in it.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from gateway.chain import authorization, lanes, message, watch
from gateway.chain.address import ZERO
from gateway.chain.contract import Movement
from gateway.chain.message import Authorization
from gateway.chain.watch import Cursor, Span
from gateway.events import log
from gateway.ids import AccountId, TransferId, new_id
from gateway.ledger import account, book, transfer
from gateway.ledger.transfer import End, Leg, Transfer
from gateway.money import Asset, Money, at_par_floor
from gateway.payments import gas, records, sweep
from gateway.payments.payment import Event, Payment, State, after
from gateway.payments.records import Conversion
from gateway.payments.sweep import Sweep
from gateway.payments.terms import Terms
from gateway.postgres import Connection
from gateway.wallets import wallet
from gateway.wallets.wallet import Wallet

complaints = logging.getLogger(__name__)

#: Why an authorization is left without an end: the contract has used it, and no log said for what.
USED_WITHOUT_A_LOG = "used_without_a_log"


@dataclass
class _Work:
    """What one span comes to, gathered before anything is written."""

    steps: list[Transfer | End] = field(default_factory=list)
    observed: list[tuple[Movement, TransferId]] = field(default_factory=list)
    payments: list[Payment] = field(default_factory=list)
    conversions: list[Conversion] = field(default_factory=list)
    sweeps: list[Sweep] = field(default_factory=list)  #: What became of those that were on their way.
    arrived: list[tuple[Sweep, str]] = field(default_factory=list)  #: New ones, and to which address.
    own_nonces: list[message.Key] = field(default_factory=list)  #: Used by owners, without us.
    settled: list[UUID] = field(default_factory=list)  #: Authorizations, by id.
    failed: dict[UUID, str] = field(default_factory=dict)  #: Authorizations, and why.
    events: list[log.Event] = field(default_factory=list)


@dataclass(frozen=True)
class _Known:
    """What we have rows of, among all that the span speaks of. `of` has the payment, conversion or sweep of an
    authorization, `wallets` the handles' wallets by address.
    """

    open: Mapping[message.Key, Authorization]  #: Those that wait for their end.
    of: Mapping[UUID, Payment | Conversion | Sweep]
    wallets: Mapping[str, Wallet]
    accounts: Mapping[str, AccountId]


async def settle(
    connection: Connection, terms: Terms, cursor: Cursor, span: Span, used: Mapping[UUID, bool], now: datetime
) -> bool:
    """Write everything that the span says and move the cursor to its end.

    `used` is what the contract answered, at the span's last block, of the authorizations that are overdue there.

    Returns False, having written nothing, when another worker wrote it first or there is a contract that the span was
    read without.
    """
    if not await watch.advance(connection, cursor, span):
        return False
    overdue = await authorization.lock_overdue(connection, used, span.last.timestamp) if used else []
    known = await _look_up(connection, terms, span, [one.key for one in overdue])
    work = _decide(terms, known, span, now)
    for one in overdue:
        if not used[one.id]:
            _give_back(known, one.key, "expired", work)
    await _doubt(connection, [one for one in overdue if used[one.id] and one.id not in {*work.settled, *work.failed}])
    await _gas(connection, terms, span, work, now)
    await _write(connection, terms, cursor.chain_id, work, now)
    return True


async def settle_again(connection: Connection, terms: Terms, chain_id: int, block: Span, now: datetime) -> int:
    """Write what one block says that was read before; the caller has locked the cursor and left out the movements that
    are in the book. Returns how many are now. What is not new ends nothing a second time.
    """
    known = await _look_up(connection, terms, block, [], again_at=block.first)
    work = _decide(terms, known, block, now, again=True)
    await _gas(connection, terms, block, work, now)
    await _write(connection, terms, chain_id, work, now)
    return len(work.observed)


def _decide(terms: Terms, known: _Known, span: Span, now: datetime, again: bool = False) -> _Work:
    """What the span's movements and skips come to. What moved within one wallet is not noted, so if it is read `again`
    nothing is brought after it a second time.
    """
    work = _Work()
    for movement in span.movements:
        noted = len(work.observed)
        _observe(terms, known, movement, work, now)
        if not again or len(work.observed) > noted:
            _sweep(terms, known, movement, work, now)
        _note_nonce(known, _key(movement), work)
    for skip in span.skips:
        if skip.ended:
            _give_back(known, (skip.asset_code, skip.from_address, skip.nonce), skip.reason, work)
            _note_nonce(known, (skip.asset_code, skip.from_address, skip.nonce), work)
    return work


# ---- look up --------------------------------------------------------------------------------------------------------


async def _look_up(
    connection: Connection, terms: Terms, span: Span, overdue: Sequence[message.Key], again_at: int | None = None
) -> _Known:
    """Every row that the span concerns, each kind in one statement; authorizations, then payments and conversions, are
    locked.
    """
    keys: list[message.Key] = [_key(movement) for movement in span.movements if _key(movement)[2] >= 0]
    keys += [(skip.asset_code, skip.from_address, skip.nonce) for skip in span.skips]
    found = await authorization.find(connection, {*keys, *overdue}, for_update=True)
    open = {key: one.authorization for key, one in found.items() if one.state in authorization.OPEN}
    of = await _expectations(connection, terms, [one.id for one in open.values()])
    ends = {movement.from_address for movement in span.movements} | {m.to_address for m in span.movements}
    ends |= {skip.from_address for skip in span.skips}
    wallets = await wallet.by_addresses(connection, sorted(ends - {ZERO}), again_at)
    wanted = _accounts(terms, span, wallets) + [_receiver(one) for one in of.values()]
    accounts = await book.accounts(connection, wanted) if span.movements else {}
    return _Known(open, of, wallets, accounts)


async def _expectations(
    connection: Connection, terms: Terms, authorizations: Sequence[UUID]
) -> dict[UUID, Payment | Conversion | Sweep]:
    """What these authorizations are for, locked."""
    of: dict[UUID, Payment | Conversion | Sweep] = {}
    if authorizations:
        for payment in await records.by_authorizations(connection, terms.assets, authorizations):
            assert payment.authorization_id is not None
            of[payment.authorization_id] = payment
        for conversion in await records.conversions_by_authorizations(connection, terms.assets, authorizations):
            of[conversion.authorization_id] = conversion
    if len(of) < len(authorizations):
        for one in await sweep.by_authorizations(connection, terms.assets, authorizations):
            of[one.authorization_id] = one
    return of


def _key(movement: Movement) -> message.Key:
    """By what a movement is known to us; a nonce of -1 where it used neither a nonce nor a reference."""
    nonce = movement.reference if movement.reference is not None else movement.nonce
    return movement.asset_code, movement.from_address, nonce if nonce is not None else -1


def _accounts(terms: Terms, span: Span, wallets: Mapping[str, Wallet]) -> list[tuple[str, Asset]]:
    """The accounts that the span's movements may touch."""
    accounts: list[tuple[str, Asset]] = []
    for movement in span.movements:
        token = terms.assets[movement.asset_code]
        fiat = terms.backing(token)
        accounts += [(account.house(kind, token), token) for kind in ("supply", "outside")]
        accounts.append((account.house("reserve", fiat), fiat))
        for address in (movement.from_address, movement.to_address):
            if address in wallets:
                handle = wallets[address].handle
                accounts += [(account.wallet(handle, token), token), (account.wallet(handle, fiat), fiat)]
    return accounts


# ---- decide ---------------------------------------------------------------------------------------------------------


def _observe(terms: Terms, known: _Known, movement: Movement, work: _Work, now: datetime) -> None:
    """Post one final Transfer log: as the end of what we were waiting for, or as a fact from outside."""
    ours = known.open.get(_key(movement))
    if ours is None or not ours.is_settled_by(movement):
        _observe_outside(terms, known, movement, work, now)
        if ours is not None:
            _give_back(known, ours.key, "nonce_used_otherwise", work)
        return
    expected = known.of[ours.id]
    if isinstance(expected, Sweep):
        work.settled.append(ours.id)
        work.steps.append(End(TransferId(expected.id), transfer.Event.VOID))
        work.sweeps.append(replace(expected, state="settled"))
        _observe_outside(terms, known, movement, work, now)  # of one wallet, unless it has moved on
        return
    tx_hash = "0x" + movement.transaction_hash.hex()
    work.settled.append(ours.id)
    work.steps.append(End(expected.transfer_id, transfer.Event.CAPTURE))
    posted_by = expected.transfer_id
    if isinstance(expected, Payment):
        settled = replace(
            expected,
            state=after(expected.id, expected.state, Event.SETTLE),
            captured=Money(movement.value, expected.amount.asset),
            settled_at=now,
            tx_hash=tx_hash,
        )
        work.payments.append(settled)
        work.events += records.events(settled)
    else:
        other = _other_side(known, expected, now)
        work.steps.append(other)
        if movement.reference is not None:
            posted_by = other.id
        state = after(expected.id, expected.state, Event.SETTLE, "cnv")
        converted = replace(expected, state=state, settled_at=now, tx_hash=tx_hash)
        work.conversions.append(converted)
        work.events.append(records.conversion_event(converted))
    work.observed.append((movement, posted_by))
    _hand_on(terms, known, expected, movement, work, now)


def _receiver(expected: Payment | Conversion | Sweep) -> tuple[str, Asset]:
    """The account that what was on its way is to arrive at."""
    if isinstance(expected, Payment):
        asset = expected.amount.asset
        payee = expected.payee_handle
        return (account.wallet(payee, asset) if payee else account.house("outside", asset)), asset
    if isinstance(expected, Conversion):
        asset = expected.to_amount.asset
        return account.wallet(expected.handle, asset), asset
    return account.house("outside", expected.amount.asset), expected.amount.asset


def _hand_on(
    terms: Terms, known: _Known, expected: Payment | Conversion, movement: Movement, work: _Work, now: datetime
) -> None:
    """The address that was paid may be another's in the book by now: bound meanwhile, or left by its wallet."""
    token = terms.assets[movement.asset_code]
    arrived, _ = _receiver(expected)
    there = _account_at(known, movement.to_address, token)
    if movement.to_address != ZERO and arrived != there:
        id = TransferId(new_id(now))
        leg = Leg(known.accounts[arrived], known.accounts[there], movement.value)
        work.steps.append(Transfer(id, "observation", id, (leg,), fact=True))


def _sweep(terms: Terms, known: _Known, movement: Movement, work: _Work, now: datetime) -> None:
    """What arrived at an address that its wallet has left, and whose key we keep, is brought after it."""
    owner = known.wallets.get(movement.to_address)
    if owner is None or owner.address == movement.to_address:
        return
    if movement.value == 0 or movement.from_address == movement.to_address:
        return
    token = terms.assets[movement.asset_code]
    arrived = sweep.sweep_of(owner.id, Money(movement.value, token), movement.to_address, now)
    payer, outside = account.wallet(owner.handle, token), account.house("outside", token)
    leg = Leg(known.accounts[payer], known.accounts[outside], movement.value)
    work.steps.append(sweep.hold_of(arrived, leg))
    work.arrived.append((arrived, owner.address))


def _note_nonce(known: _Known, key: message.Key, work: _Work) -> None:
    """A nonce of a wallet's that we did not wait for: its owner has used it, with a key of their own or one that was
    handed to them.
    """
    if key[1] in known.wallets and key[2] >= 0 and key not in known.open:
        work.own_nonces.append(key)


def _other_side(known: _Known, conversion: Conversion, now: datetime) -> Transfer:
    """What the owner of a conversion gets for what was held: the minted tokens, or fiat out of the reserve."""
    asset = conversion.to_amount.asset
    giver = account.house("supply" if asset.kind == "token" else "reserve", asset)
    leg = Leg(
        known.accounts[giver],
        known.accounts[account.wallet(conversion.handle, asset)],
        conversion.to_amount.units,
    )
    return Transfer(TransferId(new_id(now)), "conversion", conversion.id, (leg,), fact=True)


def _observe_outside(terms: Terms, known: _Known, movement: Movement, work: _Work, now: datetime) -> None:
    """Tokens that moved without us. What only moves between strangers is none of the book's business."""
    token = terms.assets[movement.asset_code]
    sender = _account_at(known, movement.from_address, token)
    receiver = _account_at(known, movement.to_address, token)
    if sender == receiver or movement.value == 0:
        return
    id = TransferId(new_id(now))
    legs = [Leg(known.accounts[sender], known.accounts[receiver], movement.value)]
    owner = known.wallets.get(movement.from_address)
    fiat = at_par_floor(Money(movement.value, token), terms.backing(token))
    if movement.to_address == ZERO and owner is not None and fiat.units:
        # A wallet's owner redeemed at the contract itself: the reserve pays out what it is due.
        reserve, credited = account.house("reserve", fiat.asset), account.wallet(owner.handle, fiat.asset)
        legs.append(Leg(known.accounts[reserve], known.accounts[credited], fiat.units))
    work.steps.append(Transfer(id, "observation", id, tuple(legs), fact=True))
    work.observed.append((movement, id))
    facts: dict[str, object] = {
        "from": _name_at(known, movement.from_address),
        "to": _name_at(known, movement.to_address),
        "amount": Money(movement.value, token).amount,
        "asset": token.code,
        "tx_hash": "0x" + movement.transaction_hash.hex(),
    }
    parties = [known.wallets[a] for a in (movement.from_address, movement.to_address) if a in known.wallets]
    work.events += [log.Event("token.observed", party.id, id, facts) for party in parties]


def _account_at(known: _Known, address: str, token: Asset) -> str:
    if address == ZERO:
        return account.house("supply", token)
    owner = known.wallets.get(address)
    return account.wallet(owner.handle, token) if owner else account.house("outside", token)


def _name_at(known: _Known, address: str) -> str:
    return f"@{known.wallets[address].handle}" if address in known.wallets else address


def _give_back(known: _Known, key: message.Key, reason: str, work: _Work) -> None:
    """The contract can never settle this any more: void its hold, and say why it failed."""
    ours = known.open.get(key)
    if ours is None or ours.id in work.settled or ours.id in work.failed:
        return
    expected = known.of[ours.id]
    work.failed[ours.id] = reason
    if isinstance(expected, Sweep):
        complaints.warning("%s at %s stays there for now: %s", expected.amount, expected.from_address, reason)
        work.sweeps.append(replace(expected, state="waiting", failure=reason))
        return
    work.steps.append(End(expected.transfer_id, transfer.Event.VOID))
    if isinstance(expected, Payment):
        failed = replace(expected, state=after(expected.id, expected.state, Event.FAIL), failure=reason)
        work.payments.append(failed)
        work.events += records.events(failed)
    else:
        state = after(expected.id, expected.state, Event.FAIL, "cnv")
        broken = replace(expected, state=state, failure=reason)
        work.conversions.append(broken)
        work.events.append(records.conversion_event(broken))


async def _doubt(connection: Connection, used: Sequence[Authorization]) -> None:
    """The contract has used these, and no log that we read said for what: nobody may be given the money back by us."""
    for one in used:
        complaints.error(
            "authorization %s of %s is used, the contract says, and no log of it was seen: it is left as it is, "
            "until somebody finds out what it moved",
            one.id,
            one.from_address,
        )
    if used:
        await authorization.doubt(connection, [one.id for one in used], USED_WITHOUT_A_LOG)


async def _gas(connection: Connection, terms: Terms, span: Span, work: _Work, now: datetime) -> None:
    """Conclude our own ChainTransactions: what they cost, and what has to be sent again because one reverted."""
    concluded = await lanes.conclude(connection, span.receipts, now)
    work.steps += await gas.transfers(connection, terms.assets, concluded, now)
    await authorization.requeue(connection, [one.id for one in concluded if not one.succeeded])


# ---- write ----------------------------------------------------------------------------------------------------------


async def refuse(
    connection: Connection, terms: Terms, refused: Sequence[tuple[Authorization, str]], now: datetime
) -> None:
    """Give back the money of authorizations that were never sent, each for its reason."""
    of = await _expectations(connection, terms, [one.id for one, _ in refused])
    known = _Known({one.key: one for one, _ in refused}, of, {}, {})
    work = _Work()
    for one, reason in refused:
        _give_back(known, one.key, reason, work)
    await _write(connection, terms, 0, work, now)


async def _write(connection: Connection, terms: Terms, chain_id: int, work: _Work, now: datetime) -> None:
    """The book comes last: it locks the accounts of everybody in the span, and who pays meanwhile waits for them."""
    if work.observed:
        await connection.execute(
            records.sql.observe,
            [chain_id] * len(work.observed),
            [movement.block_hash for movement, _ in work.observed],
            [movement.log_index for movement, _ in work.observed],
            [movement.block_number for movement, _ in work.observed],
            [movement.transaction_hash for movement, _ in work.observed],
            [movement.asset_code for movement, _ in work.observed],
            [movement.from_address for movement, _ in work.observed],
            [movement.to_address for movement, _ in work.observed],
            [movement.value for movement, _ in work.observed],
            [transfer_id for _, transfer_id in work.observed],
        )
    await authorization.finish(connection, work.settled, "settled")
    expired = [id for id, reason in work.failed.items() if reason == "expired"]
    skipped = [id for id in work.failed if id not in expired]
    await authorization.finish(connection, expired, "expired", ["expired"] * len(expired))
    await authorization.finish(connection, skipped, "skipped", [work.failed[id] for id in skipped])
    if work.payments:
        await records.update(connection, work.payments)
        refunds = [one for one in work.payments if one.state is State.FAILED and one.refund_of is not None]
        if refunds:
            await records.give_back_refunded(connection, refunds)
    if work.conversions:
        await records.update_conversions(connection, work.conversions)
    await sweep.update(connection, work.sweeps, now)
    await log.append(connection, work.events, now)
    if work.steps:
        book.all_done(await book.write(connection, work.steps, now))
    # Nonces are locked after accounts, as by everybody who pays.
    await sweep.start(connection, terms, [one for one, _ in work.arrived], [to for _, to in work.arrived], now)
    await authorization.pass_over(connection, work.own_nonces)
