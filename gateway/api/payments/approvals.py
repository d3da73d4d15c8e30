"""A wallet's policy, and approvals by passkey."""

from litestar import get, post, put

from gateway.api.identity.shapes import AssertionChallengeView, AssertionRequest
from gateway.api.identity.sign_in import assertion_challenge_view, assertion_of
from gateway.api.payments.bank import WITHDRAWAL
from gateway.api.payments.payments import PaymentPath, payment_id
from gateway.api.payments.shapes import LimitShape, MoneyRequest, PaymentView, PolicyRequest, PolicyView
from gateway.api.payments.views import payment_view
from gateway.http.answer.problems import MONEY_PROBLEMS
from gateway.http.services import Services
from gateway.identity.credential import Credential
from gateway.identity.sign_in import passkey
from gateway.identity.sign_in.passkey_verification import party_of
from gateway.identity.wallet import Wallet
from gateway.money import Assets
from gateway.payments import approve, policy_change
from gateway.payments.checks import policy
from gateway.payments.model.policy import Limit, Policy


@get("/v1/policy", tags=["Approvals"], summary="Get the policy", needs="read", problems=("not_found",))
async def get_policy(services: Services, caller: Wallet) -> PolicyView:
    """Returns the policy: which payments need no approval. A wallet has a policy once it has a passkey."""
    async with services.database.reading() as connection:
        return policy_view(
            services.settings.assets, *await policy_change.current(connection, services.settings.assets, caller.id)
        )


@post(
    "/v1/policy/challenge",
    tags=["Approvals"],
    summary="Start loosening the policy",
    needs="owner",
    names=True,
    problems=(*MONEY_PROBLEMS, "unknown_payee", "self_payment"),
)
async def challenge_policy(data: PolicyRequest, services: Services, caller: Wallet) -> AssertionChallengeView:
    """Returns a challenge over the new policy. Pass it to `navigator.credentials.get()`. It is valid once, for five
    minutes.
    """
    async with services.database.transaction() as connection:
        new = await policy_change.resolve_payees(
            connection, services.settings, caller, _policy(services.settings.assets, data), data.trusted
        )
        challenge = await passkey.create_challenge(
            connection,
            party_of(services.public_url),
            caller.id,
            policy_change.PURPOSE,
            policy_change.details(new.policy),
            services.clock(),
        )
        return assertion_challenge_view(challenge, await passkey.credentials(connection, caller.id))


@put(
    "/v1/policy",
    tags=["Approvals"],
    summary="Change the policy",
    needs="owner",
    names=True,
    problems=(
        *(*MONEY_PROBLEMS, "not_found", "policy_changed", "approval_required", "invalid_passkey"),
        *("unknown_payee", "self_payment"),
    ),
)
async def change_policy(data: PolicyRequest, services: Services, credential: Credential) -> PolicyView:
    """Replaces the policy; fields that are left out get their defaults. A tighter policy takes effect at once, a looser
    one needs an `approval` of exactly this policy. With the `version` that the caller has read, the change is refused
    if the policy has changed since.
    """
    assets, of = services.settings.assets, credential.wallet
    assertion = assertion_of(data.approval) if data.approval else None
    async with services.database.transaction() as connection:
        new = await policy_change.resolve_payees(connection, services.settings, of, _policy(assets, data), data.trusted)
        await policy_change.change(
            connection, assets, of.id, new, data.version, assertion, credential.by, services.clock()
        )
        return policy_view(assets, *await policy_change.current(connection, assets, of.id))


@post(
    "/v1/payments/{id:str}/approval/challenge",
    tags=["Approvals"],
    summary="Start approving a payment",
    needs="read",
    problems=("not_found", "state_conflict"),
)
async def challenge_payment_approval(id: PaymentPath, services: Services, caller: Wallet) -> AssertionChallengeView:
    """Returns a challenge over the payment's id, payee, amount, asset and rail. Pass it to
    `navigator.credentials.get()`. It is valid once, for five minutes.
    """
    async with services.database.transaction() as connection:
        _, challenge, allowed = await approve.create_challenge(
            connection, services.settings, party_of(services.public_url), caller.id, payment_id(id), services.clock()
        )
    return assertion_challenge_view(challenge, allowed)


@post(
    "/v1/payments/{id:str}/approval",
    tags=["Approvals"],
    summary="Approve a payment",
    status_code=200,
    needs="read",
    problems=(
        *("not_found", "state_conflict", "invalid_passkey", "withdrawals_frozen", "wallet_frozen", "own_key"),
        *("in_recovery", "payment_restored"),
    ),
)
async def approve_payment(id: PaymentPath, data: AssertionRequest, services: Services, caller: Wallet) -> PaymentView:
    """Approves the payment, which then continues as if no approval had been needed. Only the passkey's signature
    counts, whoever submits it.
    """
    assertion = assertion_of(data)
    async with services.database.transaction() as connection:
        payment = await approve.approve(
            connection, services.settings, caller.id, payment_id(id), assertion, services.clock()
        )
        return payment_view(payment, caller.id)


@post(
    "/v1/payments/{id:str}/decline",
    tags=["Approvals"],
    summary="Decline a payment",
    status_code=200,
    needs="pay",
    problems=("not_found", "state_conflict"),
)
async def decline_payment(id: PaymentPath, services: Services, credential: Credential) -> PaymentView:
    """Declines the payment: its money is available to the payer again."""
    async with services.database.transaction() as connection:
        caller, by, now = credential.wallet.id, credential.by, services.clock()
        payment = await approve.decline(connection, services.settings, caller, payment_id(id), by, now)
        return payment_view(payment, caller)


@post(
    "/v1/withdrawals/challenge",
    tags=["Approvals"],
    summary="Start approving a withdrawal",
    needs="pay",
    problems=MONEY_PROBLEMS,
)
async def challenge_withdrawal(data: MoneyRequest, services: Services, caller: Wallet) -> AssertionChallengeView:
    """Returns a challenge over the amount and the asset. Pass it to `navigator.credentials.get()`. It is valid once,
    for five minutes.
    """
    money = services.settings.assets.of_wallet(data.asset).parse_positive(data.amount)
    async with services.database.transaction() as connection:
        challenge = await passkey.create_challenge(
            connection,
            party_of(services.public_url),
            caller.id,
            WITHDRAWAL,
            (money.amount, money.asset.code),
            services.clock(),
        )
        return assertion_challenge_view(challenge, await passkey.credentials(connection, caller.id))


def _policy(assets: Assets, data: PolicyRequest) -> Policy:
    limits = {}
    for code, limit in data.limits.items():
        asset = assets.of_wallet(code)
        limits[code] = Limit(asset.parse(limit.payment), asset.parse(limit.day))
    new = Policy(
        limits,
        data.approve_new_payee,
        data.approve_address,
        data.changed_payee_days,
        data.new_device_hours,
        data.undo_seconds,
    )
    policy.check(new)
    return new


def policy_view(assets: Assets, of: Policy, trusted: list[str]) -> PolicyView:
    limits = policy_change.limits_of(of, assets).items()
    return PolicyView(
        {code: LimitShape(limit.payment.amount, limit.day.amount) for code, limit in limits},
        of.approve_new_payee,
        of.approve_address,
        of.changed_payee_days,
        of.new_device_hours,
        of.undo_seconds,
        trusted,
        policy_change.version_of(of, assets),
    )
