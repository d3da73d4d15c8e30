-- add_operator
-- A new operator with a code; or another code for one who has no passkey yet. No row for anybody else.
INSERT INTO operator (id, name, enrolment, enrolment_until, created_at, role) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT ON CONSTRAINT operator_name_unique DO UPDATE
    SET enrolment = excluded.enrolment, enrolment_until = excluded.enrolment_until, role = excluded.role
    WHERE operator.credential_id IS NULL AND operator.revoked_at IS NULL
RETURNING id;

-- operator_by_name
-- One who is not revoked, whose role nobody else changes meanwhile.
SELECT id, role FROM operator WHERE name = $1 AND revoked_at IS NULL FOR NO KEY UPDATE;

-- set_operator_role
-- Change an operator's role.
UPDATE operator SET role = $2 WHERE id = $1;

-- revoke_operator
-- Revoke an operator; no row if nobody with this name is an operator.
UPDATE operator SET revoked_at = $2, enrolment = NULL, link = NULL WHERE name = $1 AND revoked_at IS NULL RETURNING id;

-- end_operator_sessions
-- End all sessions of an operator.
UPDATE operator_session SET ended_at = $2 WHERE operator_id = $1 AND ended_at IS NULL;

-- operators
-- List all operators, the revoked ones too, in the order they were added.
SELECT name, role, created_at, revoked_at, credential_id IS NOT NULL AS enrolled FROM operator ORDER BY created_at, id;

-- still_operator
-- The role of an operator who is not revoked.
SELECT role FROM operator WHERE id = $1 AND revoked_at IS NULL FOR SHARE;
