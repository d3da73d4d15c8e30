"""The link that opens a sandbox's wallet, which `up` prints."""

from gateway import assembly
from gateway.config.config import Config
from gateway.identity import wallet
from gateway.identity.sign_in import link


async def make(config: Config, handle: str) -> str | None:
    """The code of a link that signs in to the handle's wallet once; None where it has a passkey."""
    async with assembly.database(config, "up") as database, database.transaction() as connection:
        of = await wallet.by_handle(connection, handle)
        return None if of.guarded else await link.make(connection, of.id, assembly.at_machine(), database.clock())
