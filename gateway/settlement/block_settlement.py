"""Write final blocks into the ledger: in block order, each Transfer log once, whatever was expected.

The block range and the contract's answers were read from the node before. All writes are one PostgreSQL transaction,
which also moves the cursor. The lock order is in the package's docstring.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from gateway.address import ZERO
from gateway.chain.relayer import relayers
from gateway.chain.token import authorization, eip3009
from gateway.chain.token.contract import Movement
from gateway.chain.token.eip3009 import Authorization
from gateway.chain.token.failure import EXPIRED, Failure
from gateway.chain.watcher import cursors
from gateway.chain.watcher.block_range import BlockRange
from gateway.chain.watcher.cursors import Cursor
from gateway.events import log
from gateway.identity import wallet
from gateway.identity.wallet import Wallet
from gateway.ledger import account, ledger
from gateway.money import Asset, Assets
from gateway.postgres.pool import Connection, Statements
from gateway.settlement import gas
from gateway.settlement.decision import Decision, Expected, Kinds, decide, fail, key_of
from gateway.settlement.settles import Known, Settles

sql = Statements(__package__, "settlement.sql")

complaints = logging.getLogger(__name__)

#: Why an authorization is left open: the contract says that its nonce was used, and no log says for what.
USED_WITHOUT_A_LOG = "used_without_a_log"


async def settle(
    connection: Connection,
    assets: Assets,
    kinds: Kinds,
    cursor: Cursor,
    block_range: BlockRange,
    used: Mapping[UUID, bool],
    now: datetime,
) -> Decision | None:
    """Write everything in the block range, and move the cursor to its end.

    `used` is the contract's answer, at the range's last block, for each authorization that is overdue there. Returns
    the decision. Returns None, and writes nothing, if another worker wrote the range first or if a contract was added
    that it was read without.
    """
    if not await cursors.advance(connection, cursor, block_range):
        return None
    overdue = await authorization.lock_overdue(connection, used, block_range.last.timestamp) if used else []
    known, expected = await _look_up(connection, assets, kinds, block_range, [one.key for one in overdue])
    decision = decide(kinds, known, expected, block_range, now)
    for one in overdue:
        if not used[one.id]:
            fail(expected, one.key, EXPIRED, decision)
    ended = {*decision.settled, *decision.failed}
    await _flag_used(connection, [one for one in overdue if used[one.id] and one.id not in ended])
    await _conclude(connection, known, block_range, decision, now)
    await _write(connection, kinds, cursor.chain_id, decision, now)
    return decision


async def settle_again(
    connection: Connection, assets: Assets, kinds: Kinds, chain_id: int, block: BlockRange, now: datetime
) -> int:
    """Write a block that was read before. The caller has locked the cursor and left out the movements that the ledger
    has. Returns how many movements were posted. Whatever has ended stays as it is.
    """
    known, expected = await _look_up(connection, assets, kinds, block, [], again_at=block.first)
    decision = decide(kinds, known, expected, block, now, again=True)
    await _conclude(connection, known, block, decision, now)
    await _write(connection, kinds, chain_id, decision, now)
    return len(decision.observed)


async def refuse(
    connection: Connection,
    assets: Assets,
    kinds: Kinds,
    refused: Sequence[tuple[Authorization, Failure]],
    now: datetime,
) -> None:
    """Fail authorizations that were never sent, each with its reason, and release their money. The caller has locked
    them.
    """
    ids = [one.id for one, _ in refused]
    of, sent_as = await _things(connection, assets, kinds, ids), await authorization.sent_as(connection, ids)
    expected = Expected({one.key: one for one, _ in refused}, of, sent_as)
    decision = Decision()
    for one, reason in refused:
        fail(expected, one.key, reason, decision)
    await _write(connection, kinds, 0, decision, now)


async def _things(
    connection: Connection, assets: Assets, kinds: Kinds, authorizations: Iterable[UUID]
) -> dict[UUID, tuple[Settles[Any], Any]]:
    """Return the things that these authorizations belong to, locked. Each kind looks for those that no earlier kind has
    found.
    """
    of: dict[UUID, tuple[Settles[Any], Any]] = {}
    left = list(authorizations)
    for kind in kinds:
        if left:
            of |= {id: (kind, thing) for id, thing in (await kind.find(connection, assets, left)).items()}
            left = [id for id in left if id not in of]
    return of


# ---- look up --------------------------------------------------------------------------------------------------------


async def _look_up(
    connection: Connection,
    assets: Assets,
    kinds: Kinds,
    block_range: BlockRange,
    overdue: Sequence[eip3009.Key],
    again_at: int | None = None,
) -> tuple[Known, Expected]:
    """Read every row that the block range concerns: lock the authorizations, then the things that they belong to."""
    keys: list[eip3009.Key] = [key for movement in block_range.movements if (key := key_of(movement))[2] >= 0]
    keys += [(skip.asset_code, skip.from_address, skip.nonce) for skip in block_range.skips]
    found = await authorization.find(connection, {*keys, *overdue}, for_update=True)
    open = {key: one.authorization for key, one in found.items() if one.state in authorization.OPEN}
    of = await _things(connection, assets, kinds, [one.id for one in open.values()])
    ends = {movement.from_address for movement in block_range.movements} | {m.to_address for m in block_range.movements}
    ends |= {skip.from_address for skip in block_range.skips}
    wallets = await wallet.by_addresses(connection, sorted(ends - {ZERO}), again_at) if ends else {}
    burnt = {one.from_address for one in block_range.movements if one.to_address == ZERO}
    redeeming = [wallets[address].id for address in burnt if address in wallets]
    closed = await wallet.closed(connection, redeeming) if redeeming else ()
    wanted = _accounts(assets, block_range, wallets)
    wanted += [one for kind, thing in of.values() for one in kind.accounts(thing)]
    wanted += gas.accounts(assets) if block_range.receipts else []
    accounts = await ledger.accounts(connection, wanted) if block_range.movements or block_range.receipts else {}
    settled = {key for movement in block_range.movements if _is_settled(open.get(key := key_of(movement)), movement)}
    sent_as = await authorization.sent_as(connection, [one.id for key, one in open.items() if key not in settled])
    return Known(assets, wallets, accounts, closed), Expected(open, of, sent_as)


def _is_settled(expected: Authorization | None, movement: Movement) -> bool:
    return expected is not None and expected.is_settled_by(movement)


def _accounts(assets: Assets, block_range: BlockRange, wallets: Mapping[str, Wallet]) -> list[tuple[str, Asset]]:
    """Return the accounts that the block range's movements may touch."""
    accounts: list[tuple[str, Asset]] = []
    for code in {movement.asset_code for movement in block_range.movements}:
        token = assets[code]
        fiat = assets.backing(token)
        accounts += [(account.system_account(kind, token), token) for kind in ("supply", "outside")]
        accounts.append((account.system_account("reserve", fiat), fiat))
        moved = [one for one in block_range.movements if one.asset_code == code]
        redeemed = {one.from_address for one in moved if one.to_address == ZERO}
        for address in {one.from_address for one in moved} | {one.to_address for one in moved}:
            if address in wallets:
                handle = wallets[address].handle
                accounts.append((account.wallet(handle, token), token))
                if address in redeemed:
                    accounts.append((account.wallet(handle, fiat), fiat))
    return accounts


# ---- write ----------------------------------------------------------------------------------------------------------


async def _flag_used(connection: Connection, used: Sequence[Authorization]) -> None:
    """Flag authorizations whose nonce the contract says is used, although no log says for what. Their money is not
    released.
    """
    for one in used:
        complaints.error(
            "authorization %s of %s is used, the contract says, and no log of it was seen: it is left as it is, "
            "until somebody finds out what it moved",
            one.id,
            one.from_address,
        )
    if used:
        await authorization.flag(connection, [one.id for one in used], USED_WITHOUT_A_LOG)


async def _conclude(
    connection: Connection, known: Known, block_range: BlockRange, decision: Decision, now: datetime
) -> None:
    """Conclude the gateway's own chain transactions: post what they cost, and queue the authorizations of those that
    reverted.
    """
    concluded = await relayers.conclude(connection, block_range.receipts, now)
    decision.steps += gas.transfers(known.assets, concluded, known.accounts, now)
    await authorization.requeue(connection, [one.id for one in concluded if not one.succeeded])


async def _write(connection: Connection, kinds: Kinds, chain_id: int, decision: Decision, now: datetime) -> None:
    """Write the decision. The ledger is written late: it locks the accounts of every wallet in the block range, and
    payments of those wallets wait until this commits.
    """
    await _observe(connection, chain_id, decision)
    await authorization.settle(connection, decision.settled)
    expired = [id for id, reason in decision.failed.items() if reason == EXPIRED]
    skipped = [id for id in decision.failed if id not in expired]
    await authorization.finish(connection, expired, "expired", [EXPIRED] * len(expired))
    await authorization.finish(connection, skipped, "skipped", [decision.failed[id] for id in skipped])
    await log.append(connection, decision.events, now)
    if decision.steps:
        ledger.all_done(await ledger.write(connection, decision.steps, now))
    # Lock nonces after accounts, as payments do.
    for kind in kinds:
        if started := [thing for by, thing in decision.started if by is kind]:
            await kind.start(connection, started, now)
    await authorization.skip_nonces(connection, decision.own_nonces)
    # Then write the things, which count against limits.
    for kind in kinds:
        if things := decision.of(kind):
            await kind.write(connection, things, now)


async def _observe(connection: Connection, chain_id: int, decision: Decision) -> None:
    """Record which transfer posts which log. The constraint `observation_once` refuses a second posting of a log."""
    if not decision.observed:
        return
    movements = [movement for movement, _ in decision.observed]
    await connection.execute(
        sql.observe,
        chain_id,
        [one.block_hash for one in movements],
        [one.log_index for one in movements],
        [one.block_number for one in movements],
        [one.transaction_hash for one in movements],
        [one.asset_code for one in movements],
        [one.from_address for one in movements],
        [one.to_address for one in movements],
        [one.value for one in movements],
        [transfer_id for _, transfer_id in decision.observed],
    )
