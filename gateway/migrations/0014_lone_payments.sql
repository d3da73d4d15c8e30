-- A lone payment for two thirds of the work: row by row, where the way for many spends its time on preparing for many.

-- As it was, in one pass: an entry is looked at with its account and the one before it while its transfer is added up,
-- and only what is wrong comes back. The limits keep each join a look-up, however the writer's plans are made, so that
-- nothing is switched off and on again for each call.
CREATE OR REPLACE FUNCTION entry_checked() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    wrong record;
BEGIN
    SELECT checked.transfer_id, checked.balanced INTO wrong
    FROM (
        SELECT fresh.transfer_id,
            sum(CASE fresh.side WHEN 'debit' THEN fresh.amount ELSE -fresh.amount END) = 0 AS balanced,
            bool_and(coalesce(
                (fresh.number = 1 OR previous.number IS NOT NULL)
                AND fresh.posted_at >= coalesce(previous.posted_at, '-infinity')
                AND fresh.balance = coalesce(previous.balance, 0)
                    + CASE account.normal WHEN fresh.side THEN fresh.amount ELSE -fresh.amount END
                AND CASE
                    WHEN fresh.number < account.entries THEN
                        (SELECT number FROM entry
                         WHERE account_id = fresh.account_id AND number = fresh.number + 1) IS NOT NULL
                    WHEN fresh.number = account.entries THEN fresh.balance =
                        CASE account.normal WHEN 'credit' THEN account.credits_posted - account.debits_posted
                            ELSE account.debits_posted - account.credits_posted END
                    ELSE false END,
                false)) AS follow
        FROM fresh
        LEFT JOIN LATERAL (
            SELECT asset, normal, entries, credits_posted, debits_posted FROM account
            WHERE id = fresh.account_id LIMIT 1
        ) AS account ON true
        LEFT JOIN LATERAL (
            SELECT number, balance, posted_at FROM entry
            WHERE account_id = fresh.account_id AND number = fresh.number - 1 LIMIT 1
        ) AS previous ON true
        GROUP BY fresh.transfer_id, account.asset
    ) AS checked
    WHERE NOT checked.balanced OR NOT checked.follow
        OR (SELECT id FROM transfer WHERE id = checked.transfer_id) IS NULL;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    IF NOT wrong.balanced THEN
        RAISE EXCEPTION 'debits and credits differ in transfer %', wrong.transfer_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'entry_debits_equal_credits', TABLE = 'entry';
    END IF;
    RAISE EXCEPTION 'an entry of transfer % does not follow from the one before', wrong.transfer_id
        USING ERRCODE = 'check_violation', CONSTRAINT = 'entry_follows_entry', TABLE = 'entry';
END $$;
ALTER FUNCTION entry_checked() RESET ALL;


-- What pay_in_ledger does for many, for one that pays no fee: the same rows, the same outcomes, locks in the same order
-- (the key, then the accounts by id). Every statement is of a row or two by key, so their plans need no care but that
-- none reads a whole table while it is small.
--
-- Both accounts are wallets', which grow by credits and are guarded: only the payer's can be left short. The CHECKs of
-- `account` are read anew by each statement, so both are changed by one.
CREATE FUNCTION pay_one_in_ledger(
    at timestamptz, api_key_hash bytea, idempotency text, fingerprint bytea,
    payee_handle text, asset text, amount numeric, memo text, id uuid, facts text,
    OUT outcome text, OUT payer_handle text, OUT available numeric
) LANGUAGE plpgsql SET enable_seqscan = off AS $$
#variable_conflict use_variable
DECLARE
    payer uuid; payee uuid; from_account bigint; to_account bigint;
BEGIN
    SELECT key.wallet_id, split_part(own.code, ':', 2), own.id, other.owner, other.id
    INTO payer, payer_handle, from_account, payee, to_account
    FROM api_key AS key
    LEFT JOIN account AS own ON own.owner = key.wallet_id AND own.asset = pay_one_in_ledger.asset
    LEFT JOIN account AS other ON other.code = 'wallet:' || payee_handle || ':' || pay_one_in_ledger.asset
    WHERE key.hash = api_key_hash AND key.revoked_at IS NULL;
    IF payer IS NULL THEN
        outcome := 'unauthenticated';
        RETURN;
    END IF;
    outcome := 'elsewhere';
    IF from_account IS NULL OR payee IS NULL OR payee = payer THEN
        RETURN;
    END IF;

    INSERT INTO idempotency_key (wallet_id, key, fingerprint, status, payment_id, created_at)
    VALUES (payer, idempotency, fingerprint, 201, id, at)
    ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        RETURN;
    END IF;

    SELECT max(locked.available) INTO available
    FROM (
        SELECT CASE account.id WHEN from_account THEN credits_posted - debits_posted - debits_pending END AS available
        FROM account WHERE account.id IN (from_account, to_account)
        ORDER BY account.id FOR NO KEY UPDATE
    ) AS locked;
    IF available < amount THEN
        DELETE FROM idempotency_key WHERE wallet_id = payer AND key = idempotency;  -- it may be asked again
        outcome := 'short';
        RETURN;
    END IF;
    available := NULL;

    INSERT INTO transfer (id, state, purpose, subject, created_at, ended_at)
    VALUES (id, 'posted', 'payment', id, at, at);
    WITH side AS (
        UPDATE account SET
            debits_posted = debits_posted + gives, credits_posted = credits_posted + gets, entries = entries + 1,
            posted_at = greatest(at, posted_at),
            shortfall = least(shortfall, greatest(0, debits_pending - credits_posted + debits_posted + gives - gets))
        FROM (VALUES (from_account, amount, 0), (to_account, 0, amount)) AS part (account_id, gives, gets)
        WHERE account.id = account_id
        RETURNING account_id, entries, gives > 0 AS debit, credits_posted - debits_posted AS balance, posted_at
    )
    INSERT INTO entry (account_id, number, transfer_id, side, amount, balance, posted_at, purpose)
    SELECT account_id, entries, id, CASE WHEN debit THEN 'debit'::side ELSE 'credit' END, amount, balance, posted_at,
        'payment'
    FROM side;
    INSERT INTO payment (id, state, rail, payer, payee, asset, amount, fee, captured, memo, transfer_id, created_at,
        settled_at)
    VALUES (id, 'settled', 'ledger', payer, payee, asset, amount, 0, amount, memo, id, at, at);

    -- As events/log.sql announces.
    PERFORM pg_advisory_xact_lock_shared((1::bigint << 62) + CASE WHEN is_called THEN last_value ELSE 0 END)
    FROM event_id_seq;
    INSERT INTO event (kind, wallet_id, other_id, subject, facts, at)
    VALUES ('payment.settled', payer, payee, id, ('{"from":"@' || payer_handle || '",' || substr(facts, 2))::jsonb, at);
    outcome := 'done';
END $$;
