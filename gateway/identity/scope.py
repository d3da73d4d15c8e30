"""What an API key or a session may do. The module imports nothing, since the client uses it too."""

from typing import Final, Literal, get_args

#: read: see the wallet. pay, refund: move money. webhooks: create report links, read deliveries, redeliver. owner: what
#: only the owner does, such as creating keys, managing endpoints, binding an address, exporting the wallet's key.
#: gateway/docs/guides/api-keys.md describes them for those who create keys.
Scope = Literal["read", "pay", "refund", "webhooks", "owner"]

#: All of them.
SCOPES: Final[tuple[Scope, ...]] = get_args(Scope)

#: Those that a new key may have: `owner` is for a passkey, and for the key that came with the handle.
KEY_SCOPES: Final[tuple[Scope, ...]] = tuple(scope for scope in SCOPES if scope != "owner")
