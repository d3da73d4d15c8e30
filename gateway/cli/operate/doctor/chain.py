"""Diagnostics of the node, the contracts, finality and the relayers."""

from typing import Final

from gateway import assembly
from gateway.chain.node import HttpNode
from gateway.chain.watcher import cursors, final_block, same_chain
from gateway.cli.operate.doctor.installation import Installation
from gateway.errors import Misconfigured
from gateway.reconciliation import diagnosis
from gateway.reconciliation.diagnosis import Result, failed, ok, warning
from gateway.settlement import relayer_accounts

#: How far the head's time may be ahead of and behind the database's, in seconds: nodes refuse blocks more than 15 s
#: ahead, and a chain with a block every 12 s has missed some after that many minutes.
_AHEAD_SECONDS: Final = 15.0
_BEHIND_SECONDS: Final = 300.0


async def node(one: Installation) -> Result:
    url = one.config.rpc_url or assembly.running_at(one.config).rpc_url
    if not url:
        return failed(f"no gateway runs in {one.config.home}: start scripts/up, or set GATEWAY_RPC_URL")
    found = HttpNode(url)
    one.stack.push_async_callback(found.close)
    chain_id, client = await found.chain_id(), await found.client_version()
    one.answers(found)
    return ok(f"{client} answers for chain {chain_id}")


async def contracts(one: Installation) -> Result:
    known = one.settings.contracts
    tokens = [asset.code for asset in one.config.assets.tokens()]
    missing = [code for code in tokens if code not in known]
    if missing:
        return failed(f"{', '.join(missing)} has no contract: run 'gateway deploy'")
    async with one.database.reading() as connection:
        cursor = await cursors.read(connection, next(iter(known.values())).chain_id)
    await same_chain.verify(one.node, known.values(), cursor, alone=one.places.chain_is_ours)
    read = f"; the ledger has read it up to block {cursor.number}" if cursor is not None else ""
    return ok(f"this is the ledger's chain, and has the contracts of {', '.join(tokens)}{read}")


async def chain_time(one: Installation) -> Result:
    head = await one.node.block("latest")
    if head is None:
        return failed("the node has no block: wait until it has synchronised, or name another in GATEWAY_RPC_URL")
    if one.places.chain_is_ours:
        return ok(f"the head is block {head.number} of the embedded chain, which makes blocks on demand")
    ahead = head.timestamp - one.connected.clock().timestamp()
    way = "ahead of" if ahead > 0 else "behind"
    message = f"the head is block {head.number}, {abs(ahead):.0f} s {way} the database's time"
    if ahead > _AHEAD_SECONDS:
        return failed(f"{message}: set the clocks of the node's and the database's machines right (NTP)")
    if ahead < -_BEHIND_SECONDS:
        return warning(f"{message}: see whether the node has synchronised, unless the chain makes blocks as seldom")
    return ok(message)


async def finality(one: Installation) -> Result:
    head, final = await one.node.block("latest"), await final_block.newest(one.node, one.config.finality)
    if head is None or final is None:
        return warning(f"no block is final yet. {final_block.waiting(final, one.config.finality)}")
    return ok(f"block {final.number} is final, {head.number - final.number} below the head")


async def relayers(one: Installation) -> Result:
    rows = await relayer_accounts.read(one.database, one.node, one.config.assets, one.config.gas_batches_min)
    found = diagnosis.relayers(rows)
    if found.state != "ok":
        return found
    try:
        signers = assembly.relayers(one.config, one.places)
    except Misconfigured as missing:
        return warning(f"nothing can be relayed from this machine, which only a worker needs: {missing}")
    fewest = min(row.payments for row in rows)
    here = f"{len(rows)} run, {len(signers)} of them with keys here"
    return ok(f"{here}; the lowest gas balance is good for {fewest:,} payments")
