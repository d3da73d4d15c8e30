-- Authority that was given before a wallet's first passkey does not outlive it: it waits for the owner's passkey, or ends.

-- Whether a passkey stands behind a key or a mandate. In a wallet with a passkey, a key with caps pays, and a mandate
-- is drawn by, only with one; without a passkey nobody asks.
ALTER TABLE api_key ADD COLUMN approved boolean NOT NULL DEFAULT false;
ALTER TABLE mandate ADD COLUMN approved boolean NOT NULL DEFAULT false;

-- What an older gateway let a guarded wallet make took a passkey; what was made before that did not.
UPDATE api_key SET approved = true FROM wallet
WHERE wallet.id = api_key.wallet_id AND wallet.guarded
    AND api_key.created_at > (SELECT min(created_at) FROM passkey WHERE wallet_id = wallet.id);
UPDATE mandate SET approved = true FROM wallet
WHERE wallet.id = mandate.payer AND wallet.guarded
    AND mandate.created_at > (SELECT min(created_at) FROM passkey WHERE wallet_id = wallet.id);

ALTER TABLE session DROP CONSTRAINT session_ended_by_known, ADD CONSTRAINT session_ended_by_known
    CHECK (ended_by IN ('signed_out', 'signed_in_again', 'passkey_ended', 'stolen', 'first_passkey'));

-- In the transaction that adds the first passkey: the wallet has a policy, which knows no payee yet (whoever had the
-- sign-up key may have paid anybody); recovery codes and the sessions they began end; what is only held waits for an
-- approval. Keys and mandates wait because they are not approved.
CREATE OR REPLACE FUNCTION wallet_has_policy() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO policy (wallet_id) VALUES (NEW.id) ON CONFLICT DO NOTHING;
    DELETE FROM recovery_code WHERE wallet_id = NEW.id;
    UPDATE session SET ended_at = now(), ended_by = 'first_passkey'
    WHERE wallet_id = NEW.id AND begun_by = 'recovery_code' AND ended_at IS NULL;
    UPDATE payment SET state = 'requires_confirmation', approval = '{before_passkey}', capture = false
    WHERE payer = NEW.id AND state = 'held' AND authorization_id IS NULL AND refund_of IS NULL;
    RETURN NULL;
END $$;
