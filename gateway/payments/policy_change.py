"""Change a wallet's policy. The owner's request is enough to tighten it; loosening it needs a passkey that signs the
new policy.

A policy is replaced as a whole. A change may name the version that it is based on, and is refused if that is no longer
the current one: so no tab or program overwrites a change by another.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec
from msgspec.structs import replace

from gateway.audit import log as audit
from gateway.audit.log import AuditEvent, By
from gateway.errors import GatewayError, NotFound
from gateway.events import log
from gateway.identity.sign_in import passkey
from gateway.identity.sign_in.passkey_verification import Assertion
from gateway.identity.wallet import Wallet
from gateway.ids import WalletId, show
from gateway.money import Assets
from gateway.payments.checks import policy
from gateway.payments.errors import ApprovalRequired, PolicyChanged
from gateway.payments.model.policy import Limit, Policy
from gateway.payments.model.settings import PaymentSettings
from gateway.payments.payees.lookup import find_payees
from gateway.payments.payees.resolver import Payee
from gateway.postgres.pool import Connection

#: The purpose of the challenges made here.
PURPOSE = "policy.change"


@dataclass(frozen=True, slots=True)
class NewPolicy:
    """A policy, with its trusted payees looked up."""

    policy: Policy
    trusted: tuple[Payee, ...]


async def current(connection: Connection, assets: Assets, wallet: WalletId) -> tuple[Policy, list[str]]:
    """The policy, and its trusted payees by their present names. Raises NotFound where the wallet is not guarded."""
    found = (await policy.policies(connection, assets, [wallet])).get(wallet)
    if found is None:
        raise NotFound("policy: the wallet has no passkey yet")
    return found, [row["name"] for row in await connection.fetch(policy.sql.trusted_names, wallet)]


async def resolve_payees(
    connection: Connection, settings: PaymentSettings, owner: Wallet, new: Policy, trusted: Sequence[str]
) -> NewPolicy:
    """The policy, with the handles of trusted payees resolved to their present wallets. Raises UnknownPayee,
    SelfPayment, and InvalidRequest for an invalid policy.
    """
    payees = []
    for found in await find_payees(connection, settings, [(owner, to) for to in trusted]):
        if isinstance(found, GatewayError):
            raise found
        payees.append(found)
    ids = frozenset(show("wal", one.wallet.id) if one.wallet else one.address for one in payees)
    with_trust = replace(new, trusted=ids)
    policy.check(with_trust)
    return NewPolicy(with_trust, tuple(payees))


def limits_of(of: Policy, assets: Assets) -> dict[str, Limit]:
    """The limit of each asset that can be paid, by its code: the policy's own, or else the default."""
    return {asset.code: of.limit(asset) for asset in assets if asset.kind != "native"}


def version_of(of: Policy, assets: Assets) -> str:
    """A policy's version: 16 hex digits of the SHA-256 of its content, so that equal policies have the same version."""
    whole = replace(of, limits=limits_of(of, assets))
    return hashlib.sha256("".join(details(whole)).encode()).hexdigest()[:16]


def details(of: Policy) -> tuple[str, ...]:
    """The details that the approval signs: the whole policy, in canonical form."""
    limits = {code: [one.payment.amount, one.day.amount] for code, one in sorted(of.limits.items())}
    flags = [of.approve_new_payee, of.approve_address, of.changed_payee_days, of.new_device_hours, of.undo_seconds]
    return (msgspec.json.encode([limits, flags, sorted(of.trusted)]).decode(),)


async def change(
    connection: Connection,
    assets: Assets,
    wallet: WalletId,
    new: NewPolicy,
    replaces: str | None,
    assertion: Assertion | None,
    by: By,
    now: datetime,
) -> None:
    """Replace the policy of version `replaces` (None: any version). Raises PolicyChanged if the current version is
    another one, ApprovalRequired if the new policy is looser and not approved, InvalidPasskey, ClonedPasskey, NotFound.
    """
    before = (await policy.policies(connection, assets, [wallet], lock=True)).get(wallet)
    if before is None:
        raise NotFound("policy: the wallet has no passkey yet")
    if replaces not in (None, there := version_of(before, assets)):
        raise PolicyChanged(there)
    loosened = policy.loosens(before, new.policy, assets)
    if assertion is not None:
        signed_by = await passkey.verify(connection, wallet, PURPOSE, details(new.policy), assertion, now)
        by = By("passkey", signed_by.shown_id)
    elif loosened:
        raise ApprovalRequired(("policy",))
    await policy.write(
        connection,
        wallet,
        new.policy,
        [(one.wallet.id if one.wallet else None, None if one.wallet else one.address) for one in new.trusted],
    )
    change = {"loosened": loosened}
    await log.append(connection, [log.Event("policy.changed", wallet, wallet, change)], now)
    await audit.append(connection, [AuditEvent("policy.changed", wallet, by, wallet, change)], now)
