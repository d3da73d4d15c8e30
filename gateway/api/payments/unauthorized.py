"""Report a payment as unauthorized, which freezes the wallet, also by a link in a notification; unfreeze the wallet
later.
"""

from typing import Annotated

from litestar import get, post
from litestar.params import PathParameter
from msgspec import Meta, Struct

from gateway.api.fields import AssetCode, Decimal, Party, PaymentIdText, PaymentState, Time
from gateway.api.identity.shapes import AssertionChallengeView, AssertionRequest
from gateway.api.identity.sign_in import assertion_challenge_view, assertion_of
from gateway.api.payments.payments import PaymentPath, payment_id
from gateway.api.payments.shapes import PaymentView
from gateway.api.payments.views import payment_view
from gateway.audit.log import ANYONE
from gateway.clock import rfc3339
from gateway.http.services import Services
from gateway.identity.credential import Credential
from gateway.identity.sign_in.passkey_verification import party_of
from gateway.identity.wallet import Wallet
from gateway.ids import show
from gateway.payments.checks import wallet_freeze
from gateway.payments.ends import report_unauthorized
from gateway.payments.model.payment import Payment

TokenPath = Annotated[
    str, PathParameter(description="The token at the end of a report link.", schema_extra={"examples": ["q2Zx"]})
]


class ReportLinkView(Struct):
    """A link, shown once, to put into a notification of the payment to the wallet's owner."""

    path: Annotated[
        str, Meta(description="The path to append to the gateway's public URL.", examples=["/v1/report-links/q2…"])
    ]


class ReportView(Struct):
    """The payment of a link. POST to the link freezes the wallet."""

    payment: PaymentIdText
    to: Party
    amount: Decimal
    asset: AssetCode
    created_at: Time
    state: PaymentState
    question: Annotated[str, Meta(description="The question to show to the wallet's owner.")]


class UnfrozenView(Struct):
    frozen: bool


@post(
    "/v1/payments/{id:str}/report-unauthorized",
    tags=["Freezes"],
    summary="Report a payment as unauthorized",
    status_code=200,
    needs="read",
    problems=("not_found",),
)
async def report_payment(id: PaymentPath, services: Services, credential: Credential) -> PaymentView:
    """Freezes the caller's wallet: no money leaves it from now on, and the payment is ended if it still can be. The
    `read` scope is sufficient, since a report only stops money.
    """
    caller = credential.wallet.id
    payment = await report_unauthorized.report(
        services.database, services.settings, caller, payment_id(id), credential.by, services.clock()
    )
    return payment_view(payment, caller)


@post(
    "/v1/payments/{id:str}/report-unauthorized/link",
    tags=["Freezes"],
    summary="Create a report link",
    needs="webhooks",
    problems=("not_found",),
)
async def create_report_link(id: PaymentPath, services: Services, caller: Wallet) -> ReportLinkView:
    """Creates a link for a notification about this payment: following it freezes the wallet and does nothing else. It
    is valid for thirty days.
    """
    async with services.database.transaction() as connection:
        token = await report_unauthorized.link(
            connection, services.settings, caller.id, payment_id(id), services.clock()
        )
    return ReportLinkView(f"/v1/report-links/{token}")


@get(
    "/v1/report-links/{token:str}",
    tags=["Freezes"],
    summary="Get the payment of a report link",
    needs="nothing",
    counts="look-ups",
    problems=("not_found",),
)
async def get_report_link(token: TokenPath, services: Services) -> ReportView:
    """Returns the payment of the link and does nothing, since mail programs open links that nobody has clicked."""
    async with services.database.reading() as connection:
        return _view(await report_unauthorized.of_link(connection, services.settings, token, services.clock()))


@post(
    "/v1/report-links/{token:str}",
    tags=["Freezes"],
    summary="Report by a link",
    status_code=200,
    needs="nothing",
    counts="look-ups",
    problems=("not_found",),
)
async def follow_report_link(token: TokenPath, services: Services) -> ReportView:
    """Freezes the payer's wallet: no money leaves it from now on, and the payment is ended if it still can be."""
    async with services.database.reading() as connection:
        found = await report_unauthorized.of_link(connection, services.settings, token, services.clock())
    return _view(
        await report_unauthorized.report(
            services.database, services.settings, found.payer, found.id, ANYONE, services.clock()
        )
    )


@post("/v1/wallet/unfreeze/challenge", tags=["Freezes"], summary="Start unfreezing the wallet", needs="read")
async def challenge_unfreeze(services: Services, caller: Wallet) -> AssertionChallengeView:
    """Returns a challenge. Pass it to `navigator.credentials.get()`. It is valid once, for five minutes."""
    async with services.database.transaction() as connection:
        return assertion_challenge_view(
            *await report_unauthorized.create_challenge(
                connection, party_of(services.public_url), caller.id, services.clock()
            )
        )


@post(
    "/v1/wallet/unfreeze",
    tags=["Freezes"],
    summary="Unfreeze the wallet",
    status_code=200,
    needs="read",
    problems=("invalid_passkey",),
)
async def unfreeze_wallet(data: AssertionRequest, services: Services, caller: Wallet) -> UnfrozenView:
    """Unfreezes the wallet, at the earliest a day after it was frozen, with a passkey that is at least a day old. A
    freeze by operators stays.
    """
    assertion = assertion_of(data)
    async with services.database.transaction() as connection:
        await report_unauthorized.unfreeze(connection, caller.id, assertion, services.clock())
        return UnfrozenView(bool(await wallet_freeze.frozen(connection, [caller.id])))


def _view(payment: Payment) -> ReportView:
    return ReportView(
        payment=show("pay", payment.id),
        to=payment.payee_name,
        amount=payment.amount.amount,
        asset=payment.amount.asset.code,
        created_at=rfc3339(payment.created_at),
        state=payment.state.value,
        question="Was this not you? POST here, and nothing leaves your wallet until you or an operator let it go on.",
    )


ROUTES = [
    report_payment,
    create_report_link,
    get_report_link,
    follow_report_link,
    challenge_unfreeze,
    unfreeze_wallet,
]
