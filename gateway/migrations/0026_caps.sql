-- API keys that their owner makes, with caps on what they pay, and what they have paid.

-- A key that takes the place of another has its `origin`: what the two pay counts together.
ALTER TABLE api_key ADD COLUMN origin uuid;
UPDATE api_key SET origin = id;
ALTER TABLE api_key ALTER COLUMN origin SET NOT NULL;
CREATE FUNCTION api_key_has_origin() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.origin := coalesce(NEW.origin, NEW.id);
    RETURN NEW;
END $$;
CREATE TRIGGER api_key_has_origin BEFORE INSERT ON api_key FOR EACH ROW EXECUTE FUNCTION api_key_has_origin();

-- A key with caps pays only what one of them covers: its asset and, where they are said, its rail and its payee; and no
-- more than each that covers it allows, at once and in any twenty-four hours.
CREATE TABLE api_key_cap (
    origin uuid NOT NULL REFERENCES api_key (id),
    number integer NOT NULL,
    asset text NOT NULL REFERENCES asset (code),
    rail payment_rail,
    payee uuid REFERENCES wallet (id),
    payment units,
    day units,
    PRIMARY KEY (origin, number),
    CONSTRAINT api_key_cap_says_how_much CHECK (payment IS NOT NULL OR day IS NOT NULL)
);
CREATE TRIGGER api_key_cap_is_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON api_key_cap
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();

-- What keys with caps have paid.
CREATE TABLE api_key_payment (
    origin uuid NOT NULL,
    payment_id uuid NOT NULL,
    PRIMARY KEY (origin, payment_id)
);
