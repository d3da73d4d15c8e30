"""The scopes of API keys and sessions. The module imports nothing, because the client uses it too."""

from typing import Final, Literal, get_args

#: read: see the wallet. pay, refund: move money. webhooks: create report links, read deliveries, redeliver. owner: what
#: only the owner does, such as creating keys, managing endpoints, binding an address, exporting the wallet's key.
#: gateway/docs/guides/api-keys.md describes them for those who create keys.
Scope = Literal["read", "pay", "refund", "webhooks", "owner"]

#: All scopes.
SCOPES: Final[tuple[Scope, ...]] = get_args(Scope)

#: The scopes that a new key may have. `owner` needs a passkey, or the key that came with the handle.
KEY_SCOPES: Final[tuple[Scope, ...]] = tuple(scope for scope in SCOPES if scope != "owner")
