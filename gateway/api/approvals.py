"""The policy of a wallet, and approving by a passkey what it asks about."""

from typing import Annotated

from litestar import get, post, put
from msgspec import Meta, Struct

from gateway.api.bank import WITHDRAWAL
from gateway.api.house import House
from gateway.api.payments import payment_id
from gateway.api.shapes import MoneyRequest, PaymentView
from gateway.api.signing_in import (
    AssertionChallengeView,
    AssertionRequest,
    assertion_challenge_view,
    assertion_of,
)
from gateway.api.views import payment_view
from gateway.identity.credential import Credential
from gateway.identity.sign_in import passkey
from gateway.identity.sign_in.ceremony import party_of
from gateway.identity.wallet import Wallet
from gateway.money import Assets
from gateway.payments import approve, change, policy
from gateway.payments.policy import Limit, Policy


class LimitShape(Struct, forbid_unknown_fields=True):
    """The most that goes without approval: in one payment, and in 24 hours."""

    payment: Annotated[str, Meta(examples=["100.00"])]
    day: Annotated[str, Meta(examples=["300.00"])]


class PolicyRequest(Struct, forbid_unknown_fields=True):
    """All of it: what is left out is as it is by default. `trusted` are handles and addresses. `approval` is needed
    where something is loosened.
    """

    limits: dict[str, LimitShape] = {}
    ask_new_payee: bool = True
    ask_address: bool = True
    changed_days: int = 7
    device_hours: int = 24
    undo_seconds: int = 0
    trusted: list[str] = []
    approval: AssertionRequest | None = None


class PolicyView(Struct):
    """`limits` has every asset of the gateway."""

    limits: dict[str, LimitShape]
    ask_new_payee: bool
    ask_address: bool
    changed_days: int
    device_hours: int
    undo_seconds: int
    trusted: list[str]


@get("/v1/policy", tags=["approvals"], summary="What goes without approval", needs="read")
async def show_policy(house: House, caller: Wallet) -> PolicyView:
    """The policy of the caller's wallet, which it has from its first passkey on."""
    async with house.database.reading() as connection:
        return _view(house.terms.assets, *await change.current(connection, house.terms.assets, caller.id))


@post("/v1/policy/challenge", tags=["approvals"], summary="What to loosen a policy over", needs="owner", names=True)
async def challenge_policy(data: PolicyRequest, house: House, caller: Wallet) -> AssertionChallengeView:
    """For navigator.credentials.get(): a hash over the policy that is wanted. Good once, for five minutes."""
    async with house.database.transaction() as connection:
        wanted = await change.wanted(connection, house.terms, caller, _policy(house.terms.assets, data), data.trusted)
        asked = await passkey.ask(
            connection, party_of(house.public_url), caller.id, change.PURPOSE, change.details(wanted), house.clock()
        )
        return assertion_challenge_view(asked, await passkey.credentials(connection, caller.id))


@put("/v1/policy", tags=["approvals"], summary="Change what goes without approval", needs="owner", names=True)
async def change_policy(data: PolicyRequest, house: House, credential: Credential) -> PolicyView:
    """Tightened at once; loosened only with an approval of just this policy."""
    assets, of = house.terms.assets, credential.wallet
    assertion = assertion_of(data.approval) if data.approval else None
    async with house.database.transaction() as connection:
        wanted = await change.wanted(connection, house.terms, of, _policy(assets, data), data.trusted)
        await change.change(connection, assets, of.id, wanted, assertion, credential.by, house.clock())
        return _view(assets, *await change.current(connection, assets, of.id))


@post("/v1/payments/{id:str}/approval/challenge", tags=["approvals"], summary="What to approve over", needs="read")
async def challenge_approval(id: str, house: House, caller: Wallet) -> AssertionChallengeView:
    """For navigator.credentials.get(): a hash over the payment's id, payee, amount, asset and rail. Good once, for five
    minutes.
    """
    async with house.database.transaction() as connection:
        _, asked, allowed = await approve.ask(
            connection, house.terms, party_of(house.public_url), caller.id, payment_id(id), house.clock()
        )
    return assertion_challenge_view(asked, allowed)


@post(
    "/v1/payments/{id:str}/approval",
    tags=["approvals"],
    summary="Approve a payment by a passkey",
    status_code=200,
    needs="read",
)
async def approve_payment(id: str, data: AssertionRequest, house: House, caller: Wallet) -> PaymentView:
    """The payment goes on, as far as it would have gone by itself. What counts is the passkey, whoever hands it in."""
    assertion = assertion_of(data)
    async with house.database.transaction() as connection:
        payment = await approve.approve(connection, house.terms, caller.id, payment_id(id), assertion, house.clock())
        return payment_view(payment, caller.id)


@post(
    "/v1/payments/{id:str}/refusal",
    tags=["approvals"],
    summary="Refuse a payment that waits",
    status_code=200,
    needs="pay",
)
async def refuse_payment(id: str, house: House, credential: Credential) -> PaymentView:
    """The payer does not approve it: its money is available again."""
    async with house.database.transaction() as connection:
        caller, by, now = credential.wallet.id, credential.by, house.clock()
        payment = await approve.refuse(connection, house.terms, caller, payment_id(id), by, now)
        return payment_view(payment, caller)


@post("/v1/withdrawals/challenge", tags=["approvals"], summary="What to withdraw over", needs="pay")
async def challenge_withdrawal(data: MoneyRequest, house: House, caller: Wallet) -> AssertionChallengeView:
    """For navigator.credentials.get(): a hash over amount and asset. Good once, for five minutes."""
    money = house.terms.assets.of_wallet(data.asset).parse_positive(data.amount)
    async with house.database.transaction() as connection:
        asked = await passkey.ask(
            connection,
            party_of(house.public_url),
            caller.id,
            WITHDRAWAL,
            (money.amount, money.asset.code),
            house.clock(),
        )
        return assertion_challenge_view(asked, await passkey.credentials(connection, caller.id))


def _policy(assets: Assets, data: PolicyRequest) -> Policy:
    limits = {}
    for code, limit in data.limits.items():
        asset = assets.of_wallet(code)
        limits[code] = Limit(asset.parse(limit.payment), asset.parse(limit.day))
    asked = Policy(
        limits, data.ask_new_payee, data.ask_address, data.changed_days, data.device_hours, data.undo_seconds
    )
    policy.check(asked)
    return asked


def _view(assets: Assets, of: Policy, trusted: list[str]) -> PolicyView:
    limits = {asset.code: of.limit(asset) for asset in assets if asset.kind != "native"}
    return PolicyView(
        {code: LimitShape(limit.payment.amount, limit.day.amount) for code, limit in limits.items()},
        of.ask_new_payee,
        of.ask_address,
        of.changed_days,
        of.device_hours,
        of.undo_seconds,
        trusted,
    )
