-- wallet_record
-- Since when a wallet is there, frozen and closed, and how many passkeys and sessions it has.
SELECT created_at, frozen_at, closed_at,
    (SELECT count(*) FROM passkey WHERE wallet_id = $1 AND ended_at IS NULL) AS passkeys,
    (SELECT count(*) FROM session WHERE wallet_id = $1 AND ended_at IS NULL AND expires_at > $2) AS sessions
FROM wallet WHERE id = $1;
