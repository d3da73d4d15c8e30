"""This was not me: stop everything that leaves a wallet, also by a link in a notification, and let it go on later."""

from typing import Annotated

from litestar import get, post
from msgspec import Meta, Struct

from gateway.api.house import House
from gateway.api.payments import payment_id
from gateway.api.shapes import PaymentView
from gateway.api.signing_in import (
    AssertionChallengeView,
    AssertionRequest,
    assertion_challenge_view,
    assertion_of,
)
from gateway.api.views import payment_view
from gateway.audit.log import ANYONE
from gateway.clock import rfc3339
from gateway.identity.credential import Credential
from gateway.identity.sign_in.ceremony import party_of
from gateway.identity.wallet import Wallet
from gateway.ids import show
from gateway.payments import not_me, wallet_freeze
from gateway.payments.payment import Payment


class NotMeLinkView(Struct):
    """Shown once: for whoever notifies the wallet's owner of the payment."""

    path: Annotated[str, Meta(description="To be put behind where people find this gateway.")]


class NotMeView(Struct):
    """What a link is of, and what it would do: POST to it does it."""

    payment: str
    to: str
    amount: str
    asset: str
    created_at: str
    state: str
    asks: str


class UnfrozenView(Struct):
    frozen: bool


@post("/v1/payments/{id:str}/not-me", tags=["freezing"], summary="This was not me", status_code=200, needs="read")
async def say_not_me(id: str, house: House, credential: Credential) -> PaymentView:
    """Nothing leaves the caller's wallet from now on, and the payment is ended where it still can be. Whoever may look
    at the wallet may say so: it only stops.
    """
    caller = credential.wallet.id
    payment = await not_me.not_me(house.database, house.terms, caller, payment_id(id), credential.by, house.clock())
    return payment_view(payment, caller)


@post("/v1/payments/{id:str}/not-me/link", tags=["freezing"], summary="A link that says it", needs="webhooks")
async def make_not_me_link(id: str, house: House, caller: Wallet) -> NotMeLinkView:
    """For a notification of this payment: it freezes the wallet, and does nothing else. Good for thirty days."""
    async with house.database.transaction() as connection:
        token = await not_me.link(connection, house.terms, caller.id, payment_id(id), house.clock())
    return NotMeLinkView(f"/v1/not-me/{token}")


@get("/v1/not-me/{token:str}", tags=["freezing"], summary="What a link is of", needs="nothing", counts="look-ups")
async def show_not_me(token: str, house: House) -> NotMeView:
    """Nothing is done: programs open links that nobody has clicked."""
    async with house.database.reading() as connection:
        return _view(await not_me.of_link(connection, house.terms, token, house.clock()))


@post(
    "/v1/not-me/{token:str}",
    tags=["freezing"],
    summary="Say it by a link",
    status_code=200,
    needs="nothing",
    counts="look-ups",
)
async def follow_not_me(token: str, house: House) -> NotMeView:
    """Nothing leaves the payer's wallet from now on, and the payment is ended where it still can be."""
    async with house.database.reading() as connection:
        found = await not_me.of_link(connection, house.terms, token, house.clock())
    return _view(await not_me.not_me(house.database, house.terms, found.payer, found.id, ANYONE, house.clock()))


@post("/v1/wallet/unfreeze/challenge", tags=["freezing"], summary="What to let a wallet go on over", needs="read")
async def challenge_unfreeze(house: House, caller: Wallet) -> AssertionChallengeView:
    """For navigator.credentials.get(). Good once, for five minutes."""
    async with house.database.transaction() as connection:
        return assertion_challenge_view(
            *await not_me.ask(connection, party_of(house.public_url), caller.id, house.clock())
        )


@post("/v1/wallet/unfreeze", tags=["freezing"], summary="Let a wallet go on", status_code=200, needs="read")
async def unfreeze_wallet(data: AssertionRequest, house: House, caller: Wallet) -> UnfrozenView:
    """By a passkey that is a day old, a day after it was stopped. What operators have stopped stays so."""
    assertion = assertion_of(data)
    async with house.database.transaction() as connection:
        await not_me.unfreeze(connection, caller.id, assertion, house.clock())
        return UnfrozenView(bool(await wallet_freeze.frozen(connection, [caller.id])))


def _view(payment: Payment) -> NotMeView:
    return NotMeView(
        payment=show("pay", payment.id),
        to=payment.payee_name,
        amount=payment.amount.amount,
        asset=payment.amount.asset.code,
        created_at=rfc3339(payment.created_at),
        state=payment.state.value,
        asks="Was this not you? POST here, and nothing leaves your wallet until you or an operator let it go on.",
    )


ROUTES = [
    say_not_me,
    make_not_me_link,
    show_not_me,
    follow_not_me,
    challenge_unfreeze,
    unfreeze_wallet,
]
