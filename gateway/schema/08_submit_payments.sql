-- Token payments that a stored chain transaction carries.

-- Logs that the payments of these authorizations, which the caller has claimed, are in the chain transaction `tx_hash`. Their rows
-- do not change (see submission). Returns the payments with their authorizations and states, in the order of their ids.
--
-- The event says what the one before it says, of a payment that was queued or submitted, and the hash: nothing else has changed.
-- Where that was archived, nothing is logged here (`logged` is false).
CREATE FUNCTION submit_payments(authorizations uuid[], tx_hash text, at timestamptz)
RETURNS TABLE (authorization_id uuid, id uuid, state text, logged boolean) LANGUAGE plpgsql
    SET enable_seqscan = off SET enable_mergejoin = off SET enable_hashjoin = off SET enable_material = off
    SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
    carried uuid[]; signed uuid[]; states text[]; wallets uuid[]; others uuid[]; payloads jsonb[]; logged integer[];
BEGIN
    SELECT array_agg(payment.id ORDER BY payment.id), array_agg(payment.authorization_id ORDER BY payment.id),
        array_agg(payment.state::text ORDER BY payment.id)
    INTO carried, signed, states
    FROM staged_payment AS payment
    WHERE payment.authorization_id = ANY (authorizations) AND payment.authorization_id IS NOT NULL;
    SELECT array_agg(own.n::integer ORDER BY own.n), array_agg(latest.wallet_id ORDER BY own.n),
        array_agg(latest.other_id ORDER BY own.n),
        array_agg(latest.payload || jsonb_build_object('tx_hash', tx_hash) ORDER BY own.n)
    INTO logged, wallets, others, payloads
    FROM unnest(carried) WITH ORDINALITY AS own (id, n), LATERAL (
        SELECT wallet_id, other_id, payload FROM logged_event
        WHERE subject = own.id AND kind IN ('payment.queued', 'payment.submitted')
        ORDER BY logged_event.id DESC LIMIT 1
    ) AS latest;
    IF logged IS NOT NULL THEN
        PERFORM log_events(array_fill('payment.submitted'::text, ARRAY[cardinality(logged)]), wallets, others,
            ARRAY(SELECT carried[place] FROM unnest(logged) AS place), payloads, at);
    END IF;
    RETURN QUERY
    SELECT own.signed, own.id, own.state, cardinality(carried) = cardinality(logged) OR own.n = ANY (coalesce(logged, '{}'))
    FROM unnest(signed, carried, states) WITH ORDINALITY AS own (signed, id, state, n);
END $$;
