"""Errors of operators' actions."""

from gateway.errors import Unauthenticated


class OperatorSignedOut(Unauthenticated):
    """There is no operator's session: none was sent, it has ended, or a wallet's API key was sent."""

    message = (
        "send the token of an operator's session as 'Authorization: Bearer <token>': operators sign in with their "
        "passkey (POST /v1/operator/session/challenge, then /session); an API key is a wallet's"
    )
