-- What a handle looks like, in whatever case it is spelled, and words that are nobody's handle.

-- The skeleton of UTS 39 for a-z, 0-9 and _, of the handle and of every spelling of it: 0 and o look alike, 1 and l, and
-- since a spelling may have a capital I, i and l; m and rn. Beyond that standard: w and vv, and an underscore is nothing.
CREATE OR REPLACE FUNCTION looks_of(handle text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN replace(replace(translate(handle, '01i_', 'oll'), 'm', 'rn'), 'w', 'vv');

-- Of those that there are already and that look alike, the first has the look; the others keep their handles.
ALTER TABLE wallet DROP CONSTRAINT wallet_looks_unique;
UPDATE wallet SET looks = seen.looks
FROM (
    SELECT id, CASE WHEN row_number() OVER (PARTITION BY looks_of(handle) ORDER BY created_at, id) = 1
        THEN looks_of(handle) END AS looks
    FROM wallet
) AS seen
WHERE seen.id = wallet.id AND wallet.looks IS DISTINCT FROM seen.looks;
ALTER TABLE wallet ADD CONSTRAINT wallet_looks_unique UNIQUE (looks);

-- Whoever had one of these could pass for the operator, for its staff, or for a part of the product. They and what looks
-- like them are claimed by nobody; who has one already keeps it. This is the list: an operator may add to it. It has no
-- 'all', which looks like Ali.
CREATE TABLE reserved_handle (
    word text NOT NULL CONSTRAINT reserved_handle_shape CHECK (word ~ '^[a-z0-9_]{2,30}$'),
    looks text NOT NULL GENERATED ALWAYS AS (looks_of(word)) STORED CONSTRAINT reserved_handle_once PRIMARY KEY
);
INSERT INTO reserved_handle (word) VALUES
    ('admin'), ('administrator'), ('moderator'), ('official'), ('operator'), ('owner'), ('root'), ('staff'), ('system'),
    ('team'), ('abuse'), ('contact'), ('help'), ('helpdesk'), ('info'), ('support'), ('service'), ('security'),
    ('hostmaster'), ('postmaster'), ('webmaster'), ('noreply'), ('mail'), ('email'), ('www'), ('api'),
    ('bank'), ('billing'), ('compliance'), ('finance'), ('fraud'), ('legal'), ('police'), ('treasury'),
    ('account'), ('accounts'), ('gateway'), ('login'), ('logout'), ('passkey'), ('passkeys'), ('payment'), ('payments'),
    ('recovery'), ('refund'), ('refunds'), ('settings'), ('sign_in'), ('sign_out'), ('sign_up'), ('verify'),
    ('verification'), ('escrow'), ('fees'), ('relayer'), ('reserve'),
    ('anonymous'), ('anybody'), ('everybody'), ('everyone'), ('me'), ('nobody'), ('none'), ('null'),
    ('undefined'), ('unknown');

CREATE OR REPLACE FUNCTION looks_of_a_new_handle() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.looks := looks_of(NEW.handle);
    IF EXISTS (SELECT FROM reserved_handle WHERE looks = NEW.looks) THEN
        RAISE EXCEPTION '% is reserved', NEW.handle
            USING ERRCODE = 'check_violation', CONSTRAINT = 'wallet_handle_not_reserved';
    END IF;
    RETURN NEW;
END $$;
