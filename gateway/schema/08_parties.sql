-- The callers of payments, and the accounts that they go from and to.

-- Looks up, for each payment, its caller, payer, payee and accounts; settle_payments and hold_payments begin with it. The
-- caller is an API key (`api_key_hash`, SHA-256), a session (`session_hash`, the SHA-256 of its token) or, for payments that
-- have passed every check already, the payer's `wallet`. The payee is a handle, or NULL for an address that is nobody's. An
-- argument is NULL if no payment has it. `outcome` is
--   unauthenticated  no such API key, or no such session
--   checks           the payment has to pass the checks: its API key is neither plain nor limited by caps alone
--   unknown          no such payee, the payee is closed or is the payer, or an account is not open yet
--   done             none of these
-- `enough`: the payer seems to have enough for all payments of the call from this account. `last` is the time of the latest
-- entry of the accounts. `origin` is that of a key with caps, and `session` that of a session: those have limits to check.
--
-- PostgreSQL inlines this function into those that call it (tests/postgres/test_inlined.py), where its plan is kept.
CREATE FUNCTION payment_parties(
    api_key_hash bytea[], session_hash bytea[], wallet uuid[], idempotency_key text[], payee_handle text[], asset text[],
    amount numeric[], fee numeric[], at timestamptz
) RETURNS TABLE (
    n bigint, outcome text, payer uuid, payer_handle text, payee uuid, from_account bigint, to_account bigint,
    fee_account bigint, fee numeric, idempotency_hash bytea, enough boolean, last timestamptz, origin uuid, session uuid,
    token_made_at timestamptz
) LANGUAGE sql STABLE AS $$
    SELECT asked.n,
        CASE
            WHEN coalesce(asked.wallet, token.wallet_id, key.wallet_id) IS NULL THEN 'unauthenticated'
            WHEN NOT (key.plain OR key.only_caps) THEN 'checks'
            WHEN own.id IS NULL OR other.id IS NULL OR own.id = other.id OR asked.fee > 0 AND fees.id IS NULL
                OR other.closed AND asked.wallet IS NULL
                THEN 'unknown'
            ELSE 'done' END,
        own.owner, split_part(own.code, ':', 2), other.owner, own.id, other.id, fees.id, asked.fee,
        CASE WHEN asked.idempotency_key IS NOT NULL THEN idempotency_hash(own.owner, asked.idempotency_key) END,
        own.credits_posted - own.debits_posted - own.debits_pending
            >= sum(asked.amount + coalesce(asked.fee, 0)) OVER (PARTITION BY own.id),
        greatest(own.posted_at, other.posted_at, fees.posted_at),
        CASE WHEN key.only_caps THEN key.origin END, token.session_id, token.made_at
    FROM unnest(api_key_hash, session_hash, wallet, idempotency_key, payee_handle, asset, amount, fee) WITH ORDINALITY
        AS asked (api_key_hash, session_hash, wallet, idempotency_key, payee_handle, asset, amount, fee, n)
    LEFT JOIN api_key AS key ON key.hash = asked.api_key_hash AND key.revoked_at IS NULL
        AND (key.expires_at IS NULL OR key.expires_at > at)
    LEFT JOIN session_token AS token ON token.hash = asked.session_hash AND token.replaced_at IS NULL
    LEFT JOIN account AS own ON own.owner = coalesce(asked.wallet, token.wallet_id, key.wallet_id) AND own.asset = asked.asset
    LEFT JOIN account AS other ON other.code = coalesce('wallet:' || asked.payee_handle || ':', 'outside:') || asked.asset
    LEFT JOIN account AS fees ON fees.code = CASE WHEN asked.fee > 0 THEN 'fees:' || asked.asset END
$$;
