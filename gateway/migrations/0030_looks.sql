-- No new handle looks like one that somebody has; a handle stays its wallet's; and who has let themselves in by a
-- recovery code has lately changed, as one has whose tokens lie at another address.

-- What a handle looks like: of signs that are taken for each other, one (as the skeletons of UTS #39, for a-z, 0-9, _).
CREATE FUNCTION looks_of(handle text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN regexp_replace(replace(replace(translate(handle, '10', 'lo'), 'm', 'rn'), 'w', 'vv'), '_+', '_', 'g');

ALTER TABLE wallet ADD COLUMN looks text, ADD COLUMN recovered_at timestamptz;

-- Of those that there are already and that look alike, the first has the look; the others keep their handles.
UPDATE wallet SET looks = looks_of(handle)
FROM (SELECT DISTINCT ON (looks_of(handle)) id FROM wallet ORDER BY looks_of(handle), created_at, id) AS first
WHERE first.id = wallet.id;
ALTER TABLE wallet ADD CONSTRAINT wallet_looks_unique UNIQUE (looks);

CREATE FUNCTION looks_of_a_new_handle() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.looks := looks_of(NEW.handle);
    RETURN NEW;
END $$;
CREATE TRIGGER wallet_looks BEFORE INSERT ON wallet FOR EACH ROW EXECUTE FUNCTION looks_of_a_new_handle();

CREATE FUNCTION handle_is_for_ever() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a handle is its wallet''s for ever' USING ERRCODE = 'check_violation', CONSTRAINT = TG_NAME;
END $$;
CREATE TRIGGER wallet_handle_is_for_ever BEFORE UPDATE OF handle, id ON wallet
    FOR EACH ROW WHEN (NEW.handle <> OLD.handle OR NEW.id <> OLD.id) EXECUTE FUNCTION handle_is_for_ever();
