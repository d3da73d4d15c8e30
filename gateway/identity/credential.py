"""An authenticated caller: the wallet it acts for, and what it may do there. Pure.

A wallet is guarded from its first passkey on. Before that, its first API key does everything, which suits developers.
From then on no API key acts as the owner, whatever its scopes; what it may pay is decided by the wallet's policy and
the key's own caps.
"""

from collections.abc import Iterable
from typing import Literal, cast
from uuid import UUID

from msgspec import Struct

from gateway.audit.log import By
from gateway.errors import Forbidden, InvalidRequest
from gateway.identity.errors import SignInAgain
from gateway.identity.scope import KEY_SCOPES as KEY_SCOPES  # the redundant names re-export these
from gateway.identity.scope import SCOPES as SCOPES
from gateway.identity.scope import Scope as Scope
from gateway.identity.wallet import Wallet
from gateway.ids import show

#: What a route needs of its caller: a scope; nothing, if anybody may call it; or to be the owner or to have used a
#: recovery code, which lets the caller add a passkey.
Need = Scope | Literal["nothing", "passkey"]


class Credential(Struct, frozen=True):
    """A key, a session or a mandate: `id` is its own, `scopes` what it may do now. `recovers`: it may add a passkey."""

    kind: Literal["api_key", "session", "mandate"]
    id: UUID
    wallet: Wallet
    scopes: frozenset[Scope]
    recovers: bool = False
    capped_by: UUID | None = None  # The key whose caps apply (payments/checks/caps.py); None: it has none.
    approved: bool = False  # A passkey has approved this key or mandate, or started this session.

    @property
    def is_grant(self) -> bool:
        """Whether the owner has limited beforehand how much it may pay: an API key with caps, or a mandate."""
        return self.capped_by is not None or self.kind == "mandate"

    @property
    def shown_id(self) -> str:
        """`key_…`, `ses_…` or `mdt_…`."""
        return show({"api_key": "key", "session": "ses", "mandate": "mdt"}[self.kind], self.id)

    @property
    def by(self) -> By:
        """The caller as the audit log records it."""
        assert self.kind != "mandate", "draws are its payee's payments, and what they do is told as that"
        return By("recovery" if self.recovers else self.kind, self.shown_id)

    def check(self, need: Need, capped: bool = False) -> None:
        """Raise Forbidden if the scopes are not enough. `capped`: the request is checked against a key's caps; a key
        with caps may do nothing else that moves money.
        """
        if self.capped_by is not None and need == "pay" and not capped:
            raise Forbidden("a key with caps makes payments and refunds, and does nothing else that moves money")
        if need == "passkey":
            need = "nothing" if self.recovers else "owner"
        if need == "nothing" or need in self.scopes:
            return
        if self.kind == "session":
            raise SignInAgain("use your passkey once more: a session does this in the minutes after it")
        if need == "owner":
            raise Forbidden(
                "only the wallet's owner does this: sign in with your passkey or, where the wallet has none yet, use "
                "the API key that came with the handle"
            )
        raise Forbidden(f"this key has no scope {need!r}; use one that has")


def scopes_of(names: Iterable[str]) -> frozenset[Scope]:
    """Return the named scopes. Raises InvalidRequest for an unknown name."""
    named = frozenset(names)
    if unknown := sorted(named.difference(SCOPES)):
        raise InvalidRequest("scope", f"{unknown[0][:60]!r} is not a scope; there are: {', '.join(KEY_SCOPES)}")
    return cast("frozenset[Scope]", named)
