"""The stored challenges of Sign-In with Ethereum: to sign in, to claim a handle, to bind an address.

Each has its own table with the same columns, and its own statement in the text.
"""

from gateway.identity.errors import InvalidChallenge
from gateway.identity.sign_in.siwe import SignIn, differing_line
from gateway.ids import WalletId, show
from gateway.postgres.pool import Record


def from_row(row: Record, statement: str, wallet: WalletId) -> SignIn:
    """Return the text of a stored challenge, for this wallet."""
    return SignIn(
        domain=row["domain"],
        address=row["address"],
        statement=statement,
        uri=row["uri"],
        chain_id=row["chain_id"],
        nonce=row["nonce"],
        issued_at=row["issued_at"],
        expires_at=row["expires_at"],
        resource=f"urn:gateway:wallet:{show('wal', wallet)}",
    )


def check_unaltered(stored: SignIn, text: str, error: type[InvalidChallenge]) -> None:
    """Raise the error unless the text that came back is the stored one, byte for byte."""
    if stored.text() != text:
        line = differing_line(text, stored.text())
        raise error("altered", f"its {line} is not as it was written: sign the text as it is")
