"""Bind an address that the owner controls: get the text to sign, and submit the signature."""

from litestar import post

from gateway.api.fields import signature_bytes
from gateway.api.identity.shapes import AddressRequest, BindRequest, BoundView, ChallengeView
from gateway.api.identity.views import bound_view, challenge_view
from gateway.custody import bind
from gateway.http.services import Services
from gateway.identity.credential import Credential
from gateway.identity.sign_in.passkey_verification import party_of
from gateway.identity.wallet import Wallet


@post(
    "/v1/wallet/address/challenge",
    tags=["Wallet"],
    summary="Start binding an address",
    needs="owner",
    problems=("invalid_address", "address_taken"),
)
async def challenge_address(data: AddressRequest, services: Services, caller: Wallet) -> ChallengeView:
    """Returns the text to sign with the key of your address (EIP-191 `personal_sign`, EIP-4361 Sign-In with Ethereum),
    or by the contract at it (ERC-1271). A wallet has one such text at a time.
    """
    async with services.database.transaction() as connection:
        return challenge_view(
            await bind.create_challenge(
                connection,
                services.settings,
                caller,
                data.address,
                party_of(services.public_url).origin,
                services.clock(),
            )
        )


@post(
    "/v1/wallet/address",
    tags=["Wallet"],
    summary="Bind an address of your own",
    status_code=200,
    needs="owner",
    problems=("invalid_challenge", "invalid_signature", "address_taken", "address_not_empty", "payments_under_way"),
)
async def bind_address(data: BindRequest, services: Services, credential: Credential) -> BoundView:
    """Binds the address to the wallet: from now on the wallet is paid at this address, and its token payments need a
    signature by its key. Tokens at the previous address, if the gateway keeps its key, are moved to the new one.
    Sending the same message again returns the same answer.
    """
    signed = signature_bytes(data.signature)
    bound = await bind.bind(
        *(services.database, services.node, services.settings, credential.wallet),
        *(data.message, signed, credential.by, services.clock()),
    )
    return bound_view(bound)
