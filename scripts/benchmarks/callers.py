"""Who pays in the figures, and the credential that each kind of caller sends.

    plain       the key that comes with a handle, of a wallet without a passkey
    scoped      a key that may pay and do nothing else
    refunding   a key that may pay and refund
    capped      a key that may pay, with a cap on each payment and on each day
    guarded     the same, of a wallet that has a passkey
    session     a browser session begun with a passkey, in a wallet whose policy allows the payments

Rows are written as the product writes them, many at once, and no check is switched off. Passkeys and policies are a
month old, so no device is new and a day's spending is what was counted; no passkey ever signs here. Limits and caps are
far above the payments, so each is read and added up and none refuses.

A session pays only in the minutes after its passkey was used, so its token is renewed before each leg.
"""

from dataclasses import dataclass

import asyncpg

#: Without the gateway's time limits.
Connection = asyncpg.Connection


@dataclass(frozen=True)
class Caller:
    """A kind of caller: its name, in words, and the header it shows. `{handle}` stands for a handle's number."""

    name: str
    what: str
    key: str = ""
    guarded: bool = False
    session: bool = False

    def header(self, origin: str, run: str) -> str:
        """The request's header lines, as a format of Lua's and C's with one %d, for the payer's number. `origin` is
        where the gateway's pages are, `run` what the tokens of this run begin with.
        """
        if self.session:
            return f"Cookie: session={_token(run)}%0{_DIGITS}d\r\nOrigin: {origin}"
        return f"Authorization: Bearer gw_{self.key}%0{_DIGITS - len(self.key)}d"


_DIGITS = 43  #: Characters of every key and token: 256 bits in base64.

PLAIN = Caller("plain", "plain keys")
SCOPED = Caller("scoped", "scoped keys", "s")
REFUNDING = Caller("refunding", "keys that pay and refund", "r")
CAPPED = Caller("capped", "keys with caps", "c")
GUARDED = Caller("guarded", "keys with caps, passkey", "c", guarded=True)
SESSION = Caller("session", "sessions", guarded=True, session=True)

CALLERS = {one.name: one for one in (PLAIN, SCOPED, REFUNDING, CAPPED, GUARDED, SESSION)}

_SCOPES = {"s": ["pay"], "r": ["pay", "refund"], "c": ["pay"]}

_PASSKEYS = """
INSERT INTO passkey (id, wallet_id, credential_id, public_key, sign_count, backed_up, name, created_at)
SELECT uuidv7(), id, sha256(convert_to('credential' || handle, 'UTF8')), sha256(convert_to(handle, 'UTF8')), 0, false,
    'laptop', now() - interval '30 days'
FROM wallet
"""
_GUARD = "UPDATE wallet SET guarded = true WHERE NOT guarded"
_POLICIES = "UPDATE policy SET approve_new_payee = false, since = now() - interval '30 days'"
_LIMITS = """
INSERT INTO policy_limit (wallet_id, asset, payment, day)
SELECT wallet_id, code, 1000 * 10 ^ decimals, 1000000 * 10 ^ decimals FROM policy, asset WHERE code = $1
"""

_KEYS = """
INSERT INTO api_key (hash, wallet_id, id, origin, name, scopes, capped, created_at, approved)
SELECT sha256(convert_to('gw_' || $1 || lpad(substr(handle, 2), $2, '0'), 'UTF8')), wallet_id, id, id, 'bench', $3, $4,
    now(), guarded
FROM (SELECT handle, guarded, wallet.id AS wallet_id, uuidv7() AS id FROM wallet) AS owner
"""
_CAPS = """
INSERT INTO api_key_cap (origin, number, asset, rail, payee, payment, day)
SELECT origin, 1, code, NULL, NULL, 1000 * 10 ^ decimals, 1000000 * 10 ^ decimals
FROM api_key, asset WHERE capped AND code = $1
"""

_SESSIONS = """
WITH begun AS (
    INSERT INTO session (id, wallet_id, sign_in_method, passkey_id, device, created_at, last_used_at, expires_at)
    SELECT uuidv7(), wallet_id, 'passkey', id, 'bench', now(), now(), now() + interval '7 days' FROM passkey
    RETURNING id, wallet_id
)
INSERT INTO session_token (hash, session_id, made_at)
SELECT sha256(convert_to($1 || lpad(substr(wallet.handle, 2), $2, '0'), 'UTF8')), begun.id, now()
FROM begun JOIN wallet ON wallet.id = begun.wallet_id
"""


async def prepare(connection: Connection, caller: Caller, asset: str = "EUR") -> None:
    """Give every wallet of a town what this kind of caller has, who pays in this asset. Their plain keys stay there
    beside it.
    """
    async with connection.transaction():
        if caller.guarded:
            await connection.execute(_PASSKEYS)
            await connection.execute(_GUARD)
            await connection.execute(_POLICIES)
            await connection.execute(_LIMITS, asset)
        if caller.key:
            capped = caller.key == CAPPED.key
            scopes, digits = _SCOPES[caller.key], _DIGITS - len(caller.key)
            await connection.execute(_KEYS, caller.key, digits, scopes, capped)
            await connection.execute(_CAPS, asset)
    await connection.execute("VACUUM ANALYZE")


async def sign_in(connection: Connection, run: str) -> None:
    """Begin a session for every wallet that has a passkey, with tokens of this run."""
    await connection.execute(_SESSIONS, _token(run), _DIGITS)


def _token(run: str) -> str:
    return f"gs_{run}_"
