"""What an API key or a session may do, in a module that imports nothing: clients of the API have it too."""

from typing import Final, Literal, get_args

#: What may be done: look, pay, give back what was paid, make the links that notifications carry, see what became of
#: webhooks and have them sent again; and what only the owner does, such as making keys, saying where webhooks go,
#: binding an address, taking the wallet's own key away. gateway/docs/guides/api-keys.md says it to those who make keys.
Scope = Literal["read", "pay", "refund", "webhooks", "owner"]

#: All of them.
SCOPES: Final[tuple[Scope, ...]] = get_args(Scope)

#: Those that a key can be made with: the owner's is for a passkey, and for the key that came with the handle.
KEY_SCOPES: Final[tuple[Scope, ...]] = tuple(scope for scope in SCOPES if scope != "owner")
