-- ask
-- A challenge that may be answered once, until it expires.
INSERT INTO passkey_challenge (challenge, wallet_id, purpose, nonce, rp_id, origin, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7);

-- forget_challenges
-- Some that expired long ago go, whenever a new one comes: so many at the most, and none that somebody else is at.
DELETE FROM passkey_challenge WHERE challenge IN (
    SELECT challenge FROM passkey_challenge WHERE expires_at < $1
    ORDER BY expires_at LIMIT 100 FOR UPDATE SKIP LOCKED
);

-- use_challenge
-- It is used now, and never again; no row where it was, or is over, or is another wallet's, or for another purpose.
UPDATE passkey_challenge SET used_at = $4
WHERE challenge = $1 AND wallet_id IS NOT DISTINCT FROM $2 AND purpose = $3 AND used_at IS NULL AND expires_at > $4
RETURNING nonce, rp_id, origin;

-- lock_wallet
-- Passkeys of one wallet come and go one after the other.
SELECT id FROM wallet WHERE id = $1 FOR NO KEY UPDATE;

-- add_passkey
-- A passkey, if nobody has one with this credential.
INSERT INTO passkey (id, wallet_id, credential_id, public_key, sign_count, backed_up, name, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT ON CONSTRAINT passkey_credential_unique DO NOTHING
RETURNING id;

-- passkey_of_credential
-- The passkey behind a credential, kept to ourselves until the transaction ends: its count is raised one by one.
SELECT id, wallet_id, name, backed_up, created_at, last_used_at, public_key, sign_count, ended_at
FROM passkey WHERE credential_id = $1 FOR UPDATE;

-- passkey
-- One of them, by its id.
SELECT id, wallet_id, name FROM passkey WHERE id = $1;

-- used_passkey
-- It has signed so often by now.
UPDATE passkey SET sign_count = $2, last_used_at = $3 WHERE id = $1;

-- end_passkey
-- It signs no more, and why; no row where it has ended before.
UPDATE passkey SET ended_at = $3, ended_by = $4 WHERE id = $1 AND wallet_id = $2 AND ended_at IS NULL RETURNING name;

-- passkeys
-- What signs for a wallet, the newest first.
SELECT id, wallet_id, name, backed_up, created_at, last_used_at, credential_id
FROM passkey WHERE wallet_id = $1 AND ended_at IS NULL ORDER BY created_at DESC, id DESC;

-- keep_codes
-- The hashes of a wallet's recovery codes.
INSERT INTO recovery_code (wallet_id, hash, salt, made_at) SELECT $1, hash, $3, $4 FROM unnest($2::bytea[]) AS hash;

-- forget_codes
-- Those before are replaced.
DELETE FROM recovery_code WHERE wallet_id = $1;

-- codes
-- What was not used yet.
SELECT hash, salt FROM recovery_code WHERE wallet_id = $1 AND used_at IS NULL;

-- count_codes
-- How many were not used yet.
SELECT count(*) FROM recovery_code WHERE wallet_id = $1 AND used_at IS NULL;

-- use_code
-- It is used once.
UPDATE recovery_code SET used_at = $3 WHERE wallet_id = $1 AND hash = $2 AND used_at IS NULL RETURNING hash;

-- recovered
-- Its owner has come in by a code: whoever pays it is asked for a while.
UPDATE wallet SET recovered_at = $2 WHERE id = $1;

-- count_try
-- One try more, of those since a time; an older count begins anew.
INSERT INTO recovery_try (wallet_id, began_at, tries) VALUES ($1, $2, 1)
ON CONFLICT (wallet_id) DO UPDATE SET
    tries = CASE WHEN recovery_try.began_at <= $3 THEN 1 ELSE recovery_try.tries + 1 END,
    began_at = CASE WHEN recovery_try.began_at <= $3 THEN $2 ELSE recovery_try.began_at END
RETURNING tries;

-- forget_tries
-- Whoever got in begins anew.
DELETE FROM recovery_try WHERE wallet_id = $1;

-- start_session
-- Somebody has signed in.
INSERT INTO session (id, wallet_id, begun_by, passkey_id, device, created_at, last_used_at, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $6, $7);

-- add_token
-- The token that opens a session from now on, by its hash alone.
INSERT INTO session_token (hash, session_id, made_at) VALUES ($1, $2, $3);

-- replace_token
-- It was replaced; no row where it was before.
UPDATE session_token SET replaced_at = $2 WHERE hash = $1 AND replaced_at IS NULL RETURNING session_id;

-- used_session
-- When it was last used, as often as its token is replaced.
UPDATE session SET last_used_at = $2 WHERE id = $1;

-- session_of_token
-- What a token opens, or opened once, and whose it is.
SELECT session.id, session.wallet_id, session.begun_by, session.passkey_id, session.device, session.created_at,
    session.last_used_at, session.expires_at, session.ended_at, token.made_at, token.replaced_at,
    wallet.handle, wallet.address, wallet.custody, wallet.guarded
FROM session_token AS token
    JOIN session ON session.id = token.session_id
    JOIN wallet ON wallet.id = session.wallet_id
WHERE token.hash = $1;

-- sessions_of_tokens
-- The same of many, those that there are.
SELECT session.id, session.wallet_id, session.begun_by, session.passkey_id, session.device, session.created_at,
    session.last_used_at, session.expires_at, session.ended_at, token.made_at, token.replaced_at, token.hash,
    wallet.handle, wallet.address, wallet.custody, wallet.guarded
FROM session_token AS token
    JOIN session ON session.id = token.session_id
    JOIN wallet ON wallet.id = session.wallet_id
WHERE token.hash = ANY ($1);

-- sessions
-- Those of a wallet that last.
SELECT id, wallet_id, begun_by, passkey_id, device, created_at, last_used_at, expires_at
FROM session WHERE wallet_id = $1 AND ended_at IS NULL AND expires_at > $2 AND last_used_at > $3
ORDER BY created_at DESC, id DESC;

-- end_session
-- It ends, and why; no row where it had.
UPDATE session SET ended_at = $3, ended_by = $4 WHERE id = $1 AND wallet_id = $2 AND ended_at IS NULL
RETURNING id, wallet_id, begun_by, passkey_id, device, created_at, last_used_at, expires_at;

-- end_session_of_token
-- The browser has signed in anew.
UPDATE session SET ended_at = $2, ended_by = 'signed_in_again'
WHERE id = (SELECT session_id FROM session_token WHERE hash = $1) AND ended_at IS NULL;

-- end_sessions_of_passkey
-- What was begun with a passkey that has ended.
UPDATE session SET ended_at = $2, ended_by = 'passkey_ended' WHERE passkey_id = $1 AND ended_at IS NULL
RETURNING id, wallet_id;

-- forget_tokens
-- Tokens of a wallet's sessions that are over open nothing, and nothing is learnt from them.
DELETE FROM session_token USING session
WHERE session.id = session_token.session_id AND session.wallet_id = $1
    AND (session.ended_at IS NOT NULL OR session.expires_at <= $2);

-- write_sign_in
-- A text to sign in with (EIP-4361), by its parts.
INSERT INTO sign_in_challenge (nonce, wallet_id, address, domain, uri, chain_id, issued_at, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
RETURNING nonce, wallet_id, address, domain, uri, chain_id, issued_at, expires_at, used_at;

-- sign_in
-- The text with this nonce, and whose it is.
SELECT nonce, wallet_id, sign_in_challenge.address, domain, uri, chain_id, issued_at, expires_at, used_at, wallet.handle
FROM sign_in_challenge JOIN wallet ON wallet.id = wallet_id WHERE nonce = $1;

-- use_sign_in
-- It is used once.
UPDATE sign_in_challenge SET used_at = $2 WHERE nonce = $1 AND used_at IS NULL RETURNING nonce;

-- forget_sign_ins
-- As forget_challenges.
DELETE FROM sign_in_challenge WHERE nonce IN (
    SELECT nonce FROM sign_in_challenge WHERE expires_at < $1
    ORDER BY expires_at LIMIT 100 FOR UPDATE SKIP LOCKED
);

-- api_key
-- The wallet that an API key speaks for, and what the key may do; no row where it is none, or is none any more.
SELECT wallet.id, wallet.handle, wallet.address, wallet.custody, wallet.guarded,
    api_key.id AS key_id, api_key.origin, api_key.scopes, api_key.networks, api_key.capped, api_key.approved,
    api_key.last_used_at
FROM api_key JOIN wallet ON wallet.id = api_key.wallet_id
WHERE api_key.hash = $1 AND api_key.revoked_at IS NULL AND (api_key.expires_at IS NULL OR api_key.expires_at > $2);

-- api_keys_by_hash
-- The same of many, those that there are.
SELECT wallet.id, wallet.handle, wallet.address, wallet.custody, wallet.guarded,
    api_key.id AS key_id, api_key.origin, api_key.scopes, api_key.networks, api_key.capped, api_key.approved,
    api_key.hash
FROM api_key JOIN wallet ON wallet.id = api_key.wallet_id
WHERE api_key.hash = ANY ($1) AND api_key.revoked_at IS NULL
    AND (api_key.expires_at IS NULL OR api_key.expires_at > $2);

-- used_api_key
-- When it was last used, written now and then; whoever else does so at this moment does it for all.
UPDATE api_key SET last_used_at = $2
WHERE id = (
    SELECT id FROM api_key WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < $3) FOR NO KEY UPDATE SKIP LOCKED
);

-- used_api_keys
-- The same of many, each with when; one that somebody else is at is left to them.
UPDATE api_key AS key SET last_used_at = greatest(key.last_used_at, used.at)
FROM unnest($1::bytea[], $2::timestamptz[]) AS used (hash, at)
WHERE key.hash = used.hash
    AND key.hash IN (SELECT hash FROM api_key WHERE hash = ANY ($1) ORDER BY hash FOR NO KEY UPDATE SKIP LOCKED);

-- make_api_key
-- A key that its owner has made, by its hash alone.
INSERT INTO api_key (hash, wallet_id, id, origin, name, scopes, networks, capped, created_at, expires_at, approved)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11);

-- api_keys
-- Those of a wallet that are good.
SELECT id AS key_id, origin, name, scopes, networks, capped, created_at, expires_at, last_used_at, approved
FROM api_key
WHERE wallet_id = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $2)
ORDER BY created_at DESC, id DESC;

-- revoke_api_key
-- It is none from now on.
UPDATE api_key SET revoked_at = $3
WHERE id = $1 AND wallet_id = $2 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $3)
RETURNING id AS key_id, origin, name, scopes, networks, capped, created_at, expires_at, last_used_at, approved;

-- approve_api_key
-- A passkey stands behind it from now on.
UPDATE api_key SET approved = true
WHERE id = $1 AND wallet_id = $2 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $3)
RETURNING id AS key_id, origin, name, scopes, networks, capped, created_at, expires_at, last_used_at, approved;

-- acts_as_owner
-- Whether something else than a passkey acts as the wallet's owner, or need not: a key with that scope, the address that
-- it is bound to, or its passkeys, once it has one.
SELECT guarded OR custody <> 'gateway' OR EXISTS (
    SELECT FROM api_key WHERE wallet_id = $1 AND 'owner' = ANY (scopes)
        AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $2)
) FROM wallet WHERE id = $1;

-- end_api_key_later
-- It is good for a while more, and never for longer than it was to be.
UPDATE api_key AS key SET expires_at = least(before.expires_at, $3)
FROM (SELECT id, expires_at FROM api_key WHERE id = $1 AND wallet_id = $2 FOR NO KEY UPDATE) AS before
WHERE key.id = before.id AND key.revoked_at IS NULL AND (before.expires_at IS NULL OR before.expires_at > $4)
RETURNING key.id AS key_id, origin, name, scopes, networks, capped, created_at, key.expires_at, last_used_at, approved,
    before.expires_at AS expired_at;

-- place_freeze
-- A reason why nothing leaves a wallet.
INSERT INTO wallet_freeze (id, wallet_id, reason, placed_at, lapses_at) VALUES ($1, $2, $3, $4, $5);

-- keep_freeze
-- It does not lapse by itself; no row where it has ended.
UPDATE wallet_freeze SET lapses_at = NULL WHERE id = $1 AND ended_at IS NULL RETURNING id;

-- end_freezes
UPDATE wallet_freeze SET ended_at = $2 WHERE wallet_id = $1 AND ended_at IS NULL RETURNING id;

-- lapsing
-- Those whose time is over, in the order in which their wallets are locked.
SELECT id, wallet_id FROM wallet_freeze WHERE ended_at IS NULL AND lapses_at <= $1 ORDER BY wallet_id, id LIMIT 100;

-- end_freeze
UPDATE wallet_freeze SET ended_at = $2 WHERE id = $1 AND ended_at IS NULL AND lapses_at <= $2 RETURNING id;

-- set_frozen
-- Since when the wallet is frozen: as long as a reason has not ended.
UPDATE wallet SET frozen_at = (SELECT min(placed_at) FROM wallet_freeze WHERE wallet_id = $1 AND ended_at IS NULL)
WHERE id = $1;

-- freeze_of_payment
-- It is a payment's: its owner says that it was somebody else's doing.
UPDATE wallet_freeze SET payment_id = $2 WHERE id = $1;

-- is_frozen_over
-- Whether that was said of the payment already.
SELECT EXISTS (SELECT FROM wallet_freeze WHERE payment_id = $1 AND ended_at IS NULL);

-- end_own_freezes
-- An owner's reasons that are old enough; never an operator's.
UPDATE wallet_freeze SET ended_at = $2
WHERE wallet_id = $1 AND ended_at IS NULL AND payment_id IS NOT NULL AND placed_at <= $3 RETURNING id;

-- count_tallies
-- Each has done it so often more. A window that is over begins anew.
INSERT INTO tally AS had (kind, who, count, ends_at)
SELECT kind, who, count, ends_at
FROM unnest($1::text[], $2::text[], $3::bigint[], $4::timestamptz[]) AS done (kind, who, count, ends_at)
ORDER BY kind, who                                 -- as whoever else counts: none waits for one that waits for it
ON CONFLICT (kind, who) DO UPDATE SET
    count = excluded.count + CASE WHEN had.ends_at > $5 THEN had.count ELSE 0 END,
    ends_at = CASE WHEN had.ends_at > $5 THEN had.ends_at ELSE excluded.ends_at END
RETURNING kind, who, count, ends_at;

-- forget_tallies
-- As forget_challenges.
DELETE FROM tally WHERE (kind, who) IN (
    SELECT kind, who FROM tally WHERE ends_at < $1 ORDER BY ends_at LIMIT 100 FOR UPDATE SKIP LOCKED
);
