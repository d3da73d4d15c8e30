"""API keys: list, create and replace them."""

from typing import Annotated, Any

from litestar import Request, Response
from litestar.params import PathParameter

from gateway.api.identity.api_keys import list_api_keys
from gateway.errors import NotFound
from gateway.http.services import Services
from gateway.identity.credential import KEY_SCOPES, Credential
from gateway.identity.wallet import Wallet
from gateway.web.owned import answer, own_page


@own_page("/settings/keys", follows=True)
async def keys_page(request: Request[Any, Any, Any], services: Services, credential: Credential) -> Response[bytes]:
    """The valid keys, each with its rights and a button that revokes it."""
    keys = (await list_api_keys.fn(services, credential)).items
    return answer(request, "wallet/keys.html", me=credential.wallet.handle, keys=keys)


@own_page("/settings/keys/new")
async def new_key_page(request: Request[Any, Any, Any], services: Services, caller: Wallet) -> Response[bytes]:
    """The form of a new key: name, rights and expiry. Its script creates the key, and shows it once."""
    assets = services.settings.assets.spendable()
    return answer(request, "wallet/new-key.html", me=caller.handle, scopes=KEY_SCOPES, assets=assets)


@own_page("/settings/keys/{id:str}/replace")
async def replace_key_page(
    id: Annotated[str, PathParameter()], request: Request[Any, Any, Any], services: Services, credential: Credential
) -> Response[bytes]:
    """The rights of the new key, and when the old one ends. Its script replaces the key, and shows the new one once."""
    keys = (await list_api_keys.fn(services, credential)).items
    key = next((one for one in keys if one.id == id), None)
    if key is None:
        raise NotFound("such key")
    return answer(request, "wallet/replace-key.html", me=credential.wallet.handle, key=key)
