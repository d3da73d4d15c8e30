"""The diagnostics in their order, and running them."""

from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from typing import Any, Final

from gateway.cli.operate import configuration
from gateway.cli.operate.doctor import chain, database, machine, worker
from gateway.cli.operate.doctor.installation import Diagnostic, Installation, Skipped
from gateway.errors import GatewayError
from gateway.reconciliation.diagnosis import Result, State

#: In the order of their needs: each uses what earlier ones have found.
DIAGNOSTICS: Final[Mapping[str, Diagnostic]] = {
    "settings": machine.settings,
    "versions": machine.versions,
    "state folder": machine.state_folder,
    "database": database.server,
    "database disk": machine.database_disk,
    "durability": database.durability,
    "clock": database.clock,
    "schema": database.schema,
    "keys": machine.keys,
    "node": chain.node,
    "chain time": chain.chain_time,
    "finality": chain.finality,
    "contracts": chain.contracts,
    "relayers": chain.relayers,
    "worker": worker.worker,
    "e-mail": worker.email,
    "push messages": worker.push,
    "recovery": worker.recovery,
    "checkpoints": worker.checkpoints,
}


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of a diagnostic, by its name."""

    name: str
    state: State
    message: str


async def examine(environ: Mapping[str, str], diagnostics: Mapping[str, Diagnostic] = DIAGNOSTICS) -> list[Finding]:
    """Run all diagnostics on the installation that these variables describe."""
    async with AsyncExitStack() as stack:
        one = Installation(configuration.check(environ), stack)
        return [Finding(name, **asdict(await _look(diagnostic, one))) for name, diagnostic in diagnostics.items()]


async def _look(diagnostic: Diagnostic, one: Installation) -> Result:
    try:
        return await diagnostic(one)
    except Skipped as without:
        return Result("skipped", f"it needs {without}")
    except GatewayError as refused:
        return Result("failed", str(refused))


def plain(found: list[Finding]) -> dict[str, Any]:
    """The same as plain values, for printing."""
    return {"ok": not has_failed(found), "findings": list(map(asdict, found))}


def has_failed(found: list[Finding]) -> bool:
    return any(finding.state == "failed" for finding in found)
