-- Master keys come and go: one seals, and those before it open what is not sealed anew yet.

ALTER TABLE master_key DROP COLUMN single;
ALTER TABLE master_key
    ADD COLUMN number integer NOT NULL DEFAULT 1 CONSTRAINT master_key_number_from_one CHECK (number >= 1),
    ADD COLUMN made_at timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN retired_at timestamptz,             -- since then no key is sealed under it, and none will be
    ADD PRIMARY KEY (number),                      -- the greatest is the one to seal with
    ADD CONSTRAINT master_key_check_value_unique UNIQUE (check_value);
ALTER TABLE master_key ALTER COLUMN number DROP DEFAULT, ALTER COLUMN made_at DROP DEFAULT;
CREATE TRIGGER master_key_is_kept BEFORE DELETE OR TRUNCATE ON master_key
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();

-- Which of them a key is sealed under.
ALTER TABLE sealed_key ADD COLUMN master integer NOT NULL DEFAULT 1;
ALTER TABLE sealed_key ALTER COLUMN master DROP DEFAULT;
ALTER TABLE seal_key ADD COLUMN master integer NOT NULL DEFAULT 1;
ALTER TABLE seal_key ALTER COLUMN master DROP DEFAULT;

-- Whoever is about to retire a master key waits for who is sealing under it, and who comes later is refused.
CREATE FUNCTION sealed_under_a_good_key() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM master_key WHERE number = NEW.master AND retired_at IS NULL FOR SHARE;
    IF NOT FOUND AND EXISTS (SELECT FROM master_key) THEN
        RAISE EXCEPTION 'no key is sealed under master key % any more', NEW.master
            USING ERRCODE = 'check_violation', CONSTRAINT = 'sealed_under_a_good_key';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER sealed_under_a_good_key BEFORE INSERT OR UPDATE ON sealed_key
    FOR EACH ROW EXECUTE FUNCTION sealed_under_a_good_key();
CREATE TRIGGER sealed_under_a_good_key BEFORE INSERT OR UPDATE ON seal_key
    FOR EACH ROW EXECUTE FUNCTION sealed_under_a_good_key();
