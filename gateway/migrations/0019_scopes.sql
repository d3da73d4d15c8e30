-- What an API key may do, until when and from where; and which keys the short statements of payments may serve.

ALTER TABLE api_key
    ADD COLUMN id uuid NOT NULL DEFAULT gen_random_uuid() CONSTRAINT api_key_id_unique UNIQUE,
    ADD COLUMN name text NOT NULL DEFAULT 'sign-up' CONSTRAINT api_key_name_length CHECK (length(name) BETWEEN 1 AND 60),
    ADD COLUMN scopes text[] NOT NULL DEFAULT '{read,pay,refund,webhooks,owner}' CONSTRAINT api_key_scopes_known
        CHECK (scopes <@ '{read,pay,refund,webhooks,owner}' AND cardinality(scopes) > 0),
    ADD COLUMN expires_at timestamptz,
    ADD COLUMN networks cidr[],        -- none: from anywhere
    ADD COLUMN capped boolean NOT NULL DEFAULT false,  -- it has caps, which are looked at with each payment
    ADD COLUMN last_used_at timestamptz,
    ADD COLUMN plain boolean NOT NULL DEFAULT true;    -- kept by api_key_is_plain, below

-- From its first passkey on, a wallet is guarded: its policy holds, and only its owner acts as one. From when it is
-- frozen, nothing leaves it.
ALTER TABLE wallet
    ADD COLUMN guarded boolean NOT NULL DEFAULT false,
    ADD COLUMN frozen_at timestamptz;

-- A key is plain when nothing has to be looked at but that it is there: pay_in_ledger, pay_one_in_ledger and
-- pay_on_chain serve no other. The wallet is held, so that it is not guarded or frozen beside a key that comes in.
CREATE FUNCTION api_key_is_plain() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    SELECT NEW.scopes @> '{read,pay,refund,webhooks,owner}' AND NEW.expires_at IS NULL AND NEW.networks IS NULL
        AND NOT NEW.capped AND NOT wallet.guarded AND wallet.frozen_at IS NULL
    INTO STRICT NEW.plain
    FROM wallet WHERE id = NEW.wallet_id FOR SHARE;
    RETURN NEW;
END $$;
CREATE TRIGGER api_key_is_plain BEFORE INSERT OR UPDATE OF scopes, expires_at, networks, capped, plain ON api_key
    FOR EACH ROW EXECUTE FUNCTION api_key_is_plain();

CREATE FUNCTION wallet_keys_are_plain() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE api_key SET plain = plain WHERE wallet_id = NEW.id AND revoked_at IS NULL;
    RETURN NULL;
END $$;
CREATE TRIGGER wallet_keys_are_plain AFTER UPDATE OF guarded, frozen_at ON wallet
    FOR EACH ROW WHEN ((OLD.guarded, OLD.frozen_at) IS DISTINCT FROM (NEW.guarded, NEW.frozen_at))
    EXECUTE FUNCTION wallet_keys_are_plain();

-- The three functions as they are, but that a key which is not plain is for the long way to decide.
DO $$
DECLARE
    changed record;
    before text;
BEGIN
    FOR changed IN
        SELECT * FROM (VALUES
            ('pay_in_ledger', 'WHEN payer.wallet_id = to_account.owner OR',
             'WHEN NOT payer.plain OR payer.wallet_id = to_account.owner OR'),
            ('pay_one_in_ledger', 'own.owner = key.wallet_id AND', 'own.owner = key.wallet_id AND key.plain AND'),
            ('pay_on_chain', 'WHEN giver.custody <> ', 'WHEN NOT key.plain OR giver.custody <> ')
        ) AS changes (name, text_before, text_after)
    LOOP
        before := pg_get_functiondef(changed.name::regproc);
        IF length(replace(before, changed.text_before, '')) <> length(before) - length(changed.text_before) THEN
            RAISE EXCEPTION '% is not as it was written', changed.name;
        END IF;
        EXECUTE replace(before, changed.text_before, changed.text_after);
    END LOOP;
END $$;
