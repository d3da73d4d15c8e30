"""The one-time links to a sandbox's wallet and console, which `up` prints."""

from gateway import assembly
from gateway.config.config import Config
from gateway.identity import wallet
from gateway.identity.sign_in import link
from gateway.operators import link as operator_link


async def to_wallet(config: Config, handle: str) -> str | None:
    """The code of a link that signs in to the handle's wallet once; None if it has a passkey."""
    async with assembly.database(config, "up") as database, database.transaction() as connection:
        of = await wallet.open_by_handle(connection, handle)
        return None if of.guarded else await link.make(connection, of.id, assembly.at_machine(), database.clock())


async def to_console(config: Config) -> str | None:
    """The code of a link that signs the sandbox's operator in once; None if they have a passkey."""
    async with assembly.database(config, "up") as database, database.transaction() as connection:
        return await operator_link.make(connection, assembly.at_machine(), database.clock())
