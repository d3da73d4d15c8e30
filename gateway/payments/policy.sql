-- policies
-- Of wallets that are guarded.
SELECT * FROM policy WHERE wallet_id = ANY ($1) ORDER BY wallet_id;

-- lock_policies
-- The same, one payer's payments after the other: a day has its room once.
SELECT * FROM policy WHERE wallet_id = ANY ($1) ORDER BY wallet_id FOR NO KEY UPDATE;

-- hold_guard
-- Whether these wallets have a passkey stays as it is until the transaction ends.
SELECT FROM wallet WHERE id = ANY ($1) ORDER BY id FOR SHARE;

-- limits
-- What their owners have set.
SELECT * FROM policy_limit WHERE wallet_id = ANY ($1);

-- trusted
-- Whom they trust.
SELECT * FROM trusted_payee WHERE wallet_id = ANY ($1);

-- trusted_names
-- Whom a wallet trusts, as people call them now.
SELECT coalesce('@' || wallet.handle, trusted_payee.address) AS name
FROM trusted_payee LEFT JOIN wallet ON wallet.id = payee WHERE wallet_id = $1 ORDER BY name;

-- change_policy
-- A policy as its owner wants it, but for its limits and whom it trusts.
UPDATE policy SET ask_new_payee = $2, ask_address = $3, changed_days = $4, device_hours = $5, undo_seconds = $6
WHERE wallet_id = $1;

-- forget_limits
-- They are set anew.
DELETE FROM policy_limit WHERE wallet_id = $1;

-- set_limits
-- Those of each asset that has its own.
INSERT INTO policy_limit (wallet_id, asset, payment, day)
SELECT $1, asset, payment, day FROM unnest($2::text[], $3::numeric[], $4::numeric[]) AS wanted (asset, payment, day);

-- forget_trusted
-- They are named anew.
DELETE FROM trusted_payee WHERE wallet_id = $1;

-- trust
-- Wallets, and addresses that are nobody's.
INSERT INTO trusted_payee (wallet_id, payee, address)
SELECT $1, payee, address FROM unnest($2::uuid[], $3::text[]) AS named (payee, address) ON CONFLICT DO NOTHING;

-- facts
-- Of payments that are to be decided: whether the payee was paid before, since when its wallet is at another address or
-- came back by a recovery code, and since when the payer's device is known. Where the wallet became guarded after $7, what
-- went since $6, the first id of a day: what it paid before that is counted nowhere else (payments/spending.py).
SELECT
    EXISTS (
        SELECT FROM known_payee AS known WHERE known.wallet_id = asked.payer AND known.payee = asked.payee
        UNION ALL
        SELECT FROM known_payee AS known
        WHERE known.wallet_id = asked.payer AND known.payee IS NULL AND known.address = asked.address
    ) AS known,
    (SELECT greatest(recovered_at, (SELECT max(since) FROM wallet_address AS moved
        WHERE moved.wallet_id = wallet.id AND moved.since > wallet.created_at))
        FROM wallet WHERE wallet.id = asked.payee) AS changed_at,
    (SELECT coalesce(passkey.created_at, session.created_at)
        FROM session LEFT JOIN passkey ON passkey.id = session.passkey_id WHERE session.id = asked.session) AS device_since,
    CASE WHEN policy.since > $7 THEN
        (SELECT coalesce(sum(amount), 0) FROM payment
            WHERE payment.payer = asked.payer AND payment.id >= $6 AND payment.asset = asked.asset
                AND payment.approval IS NULL AND payment.refund_of IS NULL
                AND payment.state NOT IN ('failed', 'voided', 'expired', 'refused'))
        + (SELECT coalesce(sum(amount), 0) FROM bank_movement AS paid_out
            WHERE paid_out.wallet_id = asked.payer AND paid_out.id >= $6 AND paid_out.asset = asked.asset
                AND paid_out.direction = 'withdrawal')
    END AS first_day
FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::uuid[]) WITH ORDINALITY
    AS asked (payer, payee, address, asset, session, place)
JOIN policy ON policy.wallet_id = asked.payer
ORDER BY asked.place;

-- know
-- Whoever they pay has been paid.
INSERT INTO known_payee (wallet_id, payee, address, first_paid_at)
SELECT DISTINCT payer, payee, address, $4::timestamptz
FROM unnest($1::uuid[], $2::uuid[], $3::text[]) AS paid (payer, payee, address)
ON CONFLICT DO NOTHING;

-- due_undo
-- Payments that can be undone no more, of wallets that are not frozen. One that somebody is stopping is left to them,
-- and what would leave the house while that is stopped waits too; so does all of it in recovery, and afterwards what the
-- chain may have already.
SELECT payment.*, payer.handle AS payer_handle, payee.handle AS payee_handle
FROM payment
JOIN wallet AS payer ON payer.id = payment.payer
LEFT JOIN wallet AS payee ON payee.id = payment.payee
WHERE payment.rare_state = 'held' AND payment.undo_until <= $1 AND payer.frozen_at IS NULL
    AND (payment.payee IS NOT NULL OR NOT EXISTS (
        SELECT FROM withdrawal_freeze AS stopped WHERE stopped.asset = payment.asset AND stopped.lifted_at IS NULL))
    AND NOT EXISTS (SELECT FROM recovery WHERE ended_at IS NULL)
    AND NOT EXISTS (
        SELECT FROM repeated_payments('transfer', payment.asset, payment.amount, payer.address,
            coalesce(payee.address, payment.payee_address)))
ORDER BY payment.id LIMIT $2
FOR UPDATE OF payment SKIP LOCKED;

-- payers
-- Wallets that pay: whether they are frozen, and whether they have a policy.
SELECT id, handle, frozen_at, EXISTS (SELECT FROM policy WHERE wallet_id = wallet.id) AS guarded
FROM wallet WHERE id = ANY ($1);

-- add_link
-- A link that says "this was not me", by its hash alone.
INSERT INTO not_me_link (hash, payment_id, wallet_id, expires_at) VALUES ($1, $2, $3, $4);

-- forget_links
-- Those whose time is over.
DELETE FROM not_me_link WHERE hash IN (
    SELECT hash FROM not_me_link WHERE expires_at < $1 ORDER BY expires_at LIMIT 100 FOR UPDATE SKIP LOCKED
);

-- link
-- What it is of.
SELECT payment_id, wallet_id FROM not_me_link WHERE hash = $1 AND expires_at > $2;
