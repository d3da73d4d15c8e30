-- trusted_names
-- Whom a wallet trusts, as people call them now.
SELECT coalesce('@' || wallet.handle, trusted_payee.address) AS name
FROM trusted_payee LEFT JOIN wallet ON wallet.id = payee WHERE wallet_id = $1 ORDER BY name;

-- change_policy
-- A policy as its owner wants it, but for its limits and whom it trusts.
UPDATE policy SET approve_new_payee = $2, approve_address = $3, changed_payee_days = $4, new_device_hours = $5, undo_seconds = $6
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

-- inputs
-- What the policy needs to know of payments; see schema/11_check_payments.sql.
SELECT known, changed_at, device_since, spent FROM policy_inputs($1, $2, $3, $4, $5, $6, $7, $8, $9);

-- know
-- Whoever they pay has been paid.
SELECT know_payees($1, $2, $3, $4);

-- due_undo
-- Payments that can be undone no more, of wallets that are not frozen. One that somebody is stopping is left to them,
-- and what would leave the gateway while that is stopped waits too; so does all of it in recovery, and afterwards what the
-- chain may have already.
SELECT payment.*, payer.handle AS payer_handle, payee.handle AS payee_handle
FROM staged_payment AS payment
JOIN wallet AS payer ON payer.id = payment.payer
LEFT JOIN wallet AS payee ON payee.id = payment.payee
WHERE payment.rare_state = 'held' AND payment.undo_until <= $1 AND payer.frozen_at IS NULL
    AND (payment.payee IS NOT NULL OR NOT EXISTS (
        SELECT FROM withdrawal_freeze AS stopped WHERE stopped.asset = payment.asset AND stopped.unfrozen_at IS NULL))
    AND NOT EXISTS (SELECT FROM recovery WHERE ended_at IS NULL)
    AND NOT EXISTS (
        SELECT FROM repeated_payments('transfer', payment.asset, payment.amount, payer.address,
            coalesce(payee.address, payment.payee_address)))
ORDER BY payment.id LIMIT $2
FOR UPDATE OF payment SKIP LOCKED;

-- payers
-- Wallets that pay: whether they are frozen, and their policies; see schema/11_check_payments.sql.
SELECT id, handle, frozen_at, guarded, approve_new_payee, approve_address, changed_payee_days, new_device_hours, undo_seconds,
    limit_assets, limit_payments, limit_days, trusted_payees, trusted_addresses
FROM payers($1);

-- locked_payers
-- The same, once what their payments are decided by is locked.
SELECT id, handle, frozen_at, guarded, approve_new_payee, approve_address, changed_payee_days, new_device_hours, undo_seconds,
    limit_assets, limit_payments, limit_days, trusted_payees, trusted_addresses
FROM locked_payers($1, $2, $3, $4, $5, $6);

-- add_link
-- A link that says "this was not me", by its hash alone.
INSERT INTO report_link (hash, payment_id, wallet_id, expires_at) VALUES ($1, $2, $3, $4);

-- forget_links
-- Those whose time is over.
DELETE FROM report_link WHERE hash IN (
    SELECT hash FROM report_link WHERE expires_at < $1 ORDER BY expires_at LIMIT 100 FOR UPDATE SKIP LOCKED
);

-- link
-- What it is of.
SELECT payment_id, wallet_id FROM report_link WHERE hash = $1 AND expires_at > $2;
