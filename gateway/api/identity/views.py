"""Answers about identity: a function for each shape."""

from gateway.api.identity.shapes import BoundView, ChallengeView, HandleView
from gateway.clock import rfc3339
from gateway.identity.sign_in.siwe import SignIn
from gateway.identity.wallet import Wallet
from gateway.ids import show


def handle_view(wallet: Wallet) -> HandleView:
    return HandleView(wallet.handle, show("wal", wallet.id), wallet.address, wallet.custody)


def challenge_view(sign_in: SignIn) -> ChallengeView:
    return ChallengeView(sign_in.text(), sign_in.address, rfc3339(sign_in.expires_at))


def bound_view(wallet: Wallet) -> BoundView:
    return BoundView(wallet.handle, show("wal", wallet.id), wallet.address, wallet.custody)
