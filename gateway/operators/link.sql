-- add_operator_link
-- An operator of the sandbox, new or as before, with a link that signs in once; no row for one who has a passkey.
INSERT INTO operator (id, name, role, link, link_until, created_at) VALUES ($1, $2, 'security', $3, $4, $5)
ON CONFLICT ON CONSTRAINT operator_name_unique DO UPDATE SET link = excluded.link, link_until = excluded.link_until
    WHERE operator.credential_id IS NULL AND operator.revoked_at IS NULL
RETURNING id;

-- use_operator_link
-- It is used once.
UPDATE operator SET link = NULL WHERE link = $1 AND link_until > $2 AND revoked_at IS NULL RETURNING id, name, role;
