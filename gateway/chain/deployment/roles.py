"""Roles: which relayers may settle and mint, and how the others are granted it.

Every relayer gets both roles. If a relayer could only settle, conversions would have to wait for another, and the keys
are all in one file anyway. A grant is a chain transaction like any other, sent by the relayer that is the token's admin
(the deployer) and stored before it is sent. One that is pending is not made again, and a second one changes nothing.

Only relayers whose keys this process has are granted roles: a row in the database gives nobody the right to mint.
"""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from gateway.chain.block import Fees
from gateway.chain.errors import NodeUnavailable, RelayerStopped
from gateway.chain.node import Node
from gateway.chain.relayer import outbox, relayers
from gateway.chain.relayer.batches import BatchKind
from gateway.chain.token.contract import (
    ADMIN_ROLE,
    MINTER_ROLE,
    RELAYER_ROLE,
    Contract,
    as_int,
    grant_role_data,
    has_role_data,
    paused_data,
)
from gateway.clock import Clock
from gateway.keys.signer import Signer, fields_of
from gateway.postgres.pool import Connection, Database, Statements

sql = Statements(__package__, "roles.sql")

log = logging.getLogger(__name__)

#: Gas limit of one grant, which uses 51,500.
GRANT_GAS = 100_000

_ROLES = {"RELAYER_ROLE": RELAYER_ROLE, "MINTER_ROLE": MINTER_ROLE}


@dataclass(frozen=True, slots=True)
class Allowed:
    """Which relayers may send each kind of batch. While the token is paused every batch would revert, and cost its
    gas.
    """

    paused: bool
    of: dict[BatchKind, set[str]]


async def allowed(node: Node, contract: Contract, addresses: Sequence[str]) -> Allowed:
    """Return which of these addresses have which role, in the newest block. Network only."""
    asked = [(RELAYER_ROLE, one) for one in addresses] + [(MINTER_ROLE, one) for one in addresses]
    calls = [paused_data(), *(has_role_data(role, one) for role, one in asked)]
    paused, *has = await _yes(node, contract, calls)
    having = {pair for pair, yes in zip(asked, has, strict=True) if yes}
    settle, mint = ({one for role, one in having if role == wanted} for wanted in (RELAYER_ROLE, MINTER_ROLE))
    return Allowed(paused, {"settle": settle, "mint": mint})


async def grant(
    database: Database, node: Node, signers: Sequence[Signer], contracts: Iterable[Contract], clock: Clock
) -> None:
    """Register a relayer for every signer, and grant each the roles to settle and mint. The roles count once a block
    has the grants.

    Any number of processes may call it, at once and again. What cannot be granted is logged, with what to do; until
    then that relayer carries no batches. Raises NodeUnavailable and Misconfigured (a relayer of another chain).
    """
    await register(database, node, signers)
    for contract in contracts:
        wanted = [(name, role, one.address) for one in signers for name, role in _ROLES.items()]
        admins = [(ADMIN_ROLE, one.address) for one in signers]
        calls = [has_role_data(role, address) for role, address in [(role, one) for _, role, one in wanted] + admins]
        has = await _yes(node, contract, calls)
        missing = [one for one, yes in zip(wanted, has, strict=False) if not yes]
        admin = next((one for one, yes in zip(signers, has[len(wanted) :], strict=True) if yes), None)
        if not missing:
            continue
        if admin is None:
            for name, _, address in missing:
                log.warning(
                    "the relayer %s cannot submit %s: no key here is the contract's admin; have the admin grant %s",
                    *(address, contract.asset.code, name),
                )
            continue
        fees = await node.fees()
        try:
            async with database.transaction() as connection:
                calls = [grant_role_data(role, address) for _, role, address in missing]
                await _store(connection, admin, contract, calls, fees, clock())
        except RelayerStopped as stopped:
            log.warning("no role was granted for %s: %s", contract.asset.code, stopped)
            continue
        await outbox.send_unsent(database, node, admin.address)


async def register(database: Database, node: Node, signers: Sequence[Signer]) -> None:
    """Register the relayers of these signers, each with its first nonce."""
    chain_id, account_states = await node.chain_id(), await node.account_states([one.address for one in signers])
    async with database.transaction() as connection:
        for one in account_states:
            await relayers.register(connection, chain_id, one.address, one.mined)


async def _store(
    connection: Connection, admin: Signer, contract: Contract, calls: Sequence[bytes], fees: Fees, now: datetime
) -> None:
    """Store those of these calls that are not pending already."""
    await relayers.lock(connection, admin.address)
    code = contract.asset.code
    rows = await connection.fetch(sql.open_raws, admin.address, "grant", code)
    under_way = {fields_of(row["raw"]).data for row in rows}
    for data in calls:
        if data not in under_way:
            await relayers.store(
                connection, admin, contract.chain_id, "grant", code, contract.address, data, GRANT_GAS, fees, now
            )


async def _yes(node: Node, contract: Contract, calls: Sequence[bytes]) -> list[bool]:
    answers = await node.calls([(contract.address, data) for data in calls], "latest")
    if any(len(answer) != 32 for answer in answers):
        raise NodeUnavailable(f"it has no contract at {contract.address} where {contract.asset.code} is")
    return [as_int(answer) == 1 for answer in answers]
