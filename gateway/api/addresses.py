"""An address of one's own: what to sign to bind it, and binding it."""

from litestar import post

from gateway.api.house import House
from gateway.api.shapes import AddressRequest, BindRequest, BoundView, ChallengeView, signature_bytes
from gateway.api.views import bound_view, challenge_view
from gateway.identity.credential import Credential
from gateway.identity.sign_in.ceremony import party_of
from gateway.identity.wallet import Wallet
from gateway.payments import bind


@post(
    "/v1/wallet/address/challenge",
    tags=["wallet"],
    summary="What to sign to bind an address of your own",
    needs="owner",
)
async def challenge_address(data: AddressRequest, house: House, caller: Wallet) -> ChallengeView:
    """The text to sign with the address's key (personal_sign, EIP-191; Sign-In with Ethereum, EIP-4361), or to have
    signed by the contract that it is (ERC-1271). A wallet has one such text at a time.
    """
    async with house.database.transaction() as connection:
        return challenge_view(
            await bind.ask(
                connection, house.terms, caller, data.address, party_of(house.public_url).origin, house.clock()
            )
        )


@post("/v1/wallet/address", tags=["wallet"], summary="Bind an address of your own", status_code=200, needs="owner")
async def bind_address(data: BindRequest, house: House, credential: Credential) -> BoundView:
    """From now on the wallet is paid there, and its token payments need a signature of that address. What lies at the
    address before, whose key the gateway keeps, follows. The same message again is answered in the same way.
    """
    signed = signature_bytes(data.signature)
    bound = await bind.bind(
        *(house.database, house.node, house.terms, credential.wallet),
        *(data.message, signed, credential.by, house.clock()),
    )
    return bound_view(bound)
