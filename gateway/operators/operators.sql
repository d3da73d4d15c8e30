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
UPDATE operator SET role = $2 WHERE id = $1;

-- revoke_operator
UPDATE operator SET revoked_at = $2, enrolment = NULL, link = NULL WHERE name = $1 AND revoked_at IS NULL RETURNING id;

-- end_operator_sessions
UPDATE operator_session SET ended_at = $2 WHERE operator_id = $1 AND ended_at IS NULL;

-- operators
SELECT name, role, created_at, revoked_at, credential_id IS NOT NULL AS enrolled FROM operator ORDER BY created_at, id;

-- ask_operator
-- A challenge that may be answered once, until it expires.
INSERT INTO operator_challenge (challenge, operator_id, purpose, nonce, rp_id, origin, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7);

-- forget_operator_challenges
-- Some that expired long ago go, whenever a new one comes.
DELETE FROM operator_challenge WHERE challenge IN (
    SELECT challenge FROM operator_challenge WHERE expires_at < $1
    ORDER BY expires_at LIMIT 100 FOR UPDATE SKIP LOCKED
);

-- use_operator_challenge
-- It is used now, and never again.
UPDATE operator_challenge SET used_at = $4
WHERE challenge = $1 AND operator_id IS NOT DISTINCT FROM $2 AND purpose = $3 AND used_at IS NULL AND expires_at > $4
RETURNING nonce, rp_id, origin;

-- operator_to_enrol
SELECT id, role, enrolment FROM operator
WHERE name = $1 AND enrolment_until > $2 AND enrolment IS NOT NULL AND revoked_at IS NULL FOR UPDATE;

-- enrol_operator
-- Their passkey, in the place of the code; no row where the passkey is another's.
UPDATE operator SET credential_id = $2, public_key = $3, sign_count = $4, enrolment = NULL, link = NULL
WHERE id = $1 AND NOT EXISTS (SELECT FROM operator WHERE credential_id = $2) RETURNING id;

-- lock_operators
-- Who approves and who proposed, in the order that everybody takes them in.
SELECT name, role FROM operator WHERE id = $1 OR name = $2 ORDER BY id FOR NO KEY UPDATE;

-- operator_of_credential
-- Who has the passkey, kept to ourselves until the transaction ends: its count is raised one by one.
SELECT id, name, role, public_key, sign_count FROM operator
WHERE credential_id = $1 AND revoked_at IS NULL FOR NO KEY UPDATE;

-- used_operator_passkey
UPDATE operator SET sign_count = $2 WHERE id = $1;

-- still_operator
-- The role of an operator who is not revoked.
SELECT role FROM operator WHERE id = $1 AND revoked_at IS NULL FOR SHARE;

-- start_operator_session
INSERT INTO operator_session (hash, operator_id, started_at, expires_at) VALUES ($1, $2, $3, $4);

-- operator_of_session
SELECT operator.id, operator.name, operator.role, expires_at FROM operator_session JOIN operator ON operator.id = operator_id
WHERE hash = $1 AND ended_at IS NULL AND expires_at > $2 AND revoked_at IS NULL;

-- end_operator_session
UPDATE operator_session SET ended_at = $2 WHERE hash = $1 AND ended_at IS NULL;

-- propose
INSERT INTO proposal (
    id, kind, wallet_id, reason, freeze_id, proposed_by, proposed_at, expires_at, asset, payment, day, terms
) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12);

-- propose_repair
INSERT INTO proposal (
    id, kind, reason, proposed_by, proposed_at, expires_at, terms, recovery_id, address, asset, debit, credit, amount
) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13);

-- proposed_correction
SELECT debit, credit, asset, amount FROM proposal WHERE id = $1;

-- lock_policy
-- One payment of the wallet after the other is decided, and none of them now.
SELECT FROM policy WHERE wallet_id = $1 FOR NO KEY UPDATE;

-- set_limit_as_proposed
INSERT INTO policy_limit (wallet_id, asset, payment, day)
SELECT wallet_id, asset, payment, day FROM proposal WHERE id = $1
ON CONFLICT (wallet_id, asset) DO UPDATE SET payment = excluded.payment, day = excluded.day;

-- proposals
-- What can still be approved, the newest first.
SELECT proposal.id, kind, wallet_id, wallet.handle, reason, terms, freeze_id, recovery_id, proposal.address,
    proposed_at, expires_at, proposer.name AS proposed_by, approver.name AS approved_by, done_at, proposer.revoked_at
FROM proposal LEFT JOIN wallet ON wallet.id = wallet_id JOIN operator AS proposer ON proposer.id = proposal.proposed_by
LEFT JOIN operator AS approver ON approver.id = proposal.approved_by
WHERE done_at IS NULL AND expires_at > $1 AND proposer.revoked_at IS NULL ORDER BY proposal.id DESC LIMIT 200;

-- past_proposals
-- What was approved, has expired or was withdrawn, the newest first.
SELECT proposal.id, kind, wallet_id, wallet.handle, reason, terms, freeze_id, recovery_id, proposal.address,
    proposed_at, expires_at, proposer.name AS proposed_by, approver.name AS approved_by, done_at, proposer.revoked_at
FROM proposal LEFT JOIN wallet ON wallet.id = wallet_id JOIN operator AS proposer ON proposer.id = proposal.proposed_by
LEFT JOIN operator AS approver ON approver.id = proposal.approved_by
WHERE ($1::uuid IS NULL OR proposal.id < $1)
    AND (done_at IS NOT NULL OR expires_at <= $3 OR proposer.revoked_at IS NOT NULL)
ORDER BY proposal.id DESC LIMIT $2;

-- proposal
SELECT proposal.id, kind, wallet_id, wallet.handle, reason, terms, freeze_id, recovery_id, proposal.address,
    proposed_at, expires_at, proposer.name AS proposed_by, approver.name AS approved_by, done_at, proposer.revoked_at
FROM proposal LEFT JOIN wallet ON wallet.id = wallet_id JOIN operator AS proposer ON proposer.id = proposal.proposed_by
LEFT JOIN operator AS approver ON approver.id = proposal.approved_by
WHERE proposal.id = $1;

-- approve
-- Once, in time, by somebody else, while who proposed it is an operator.
UPDATE proposal SET approved_by = $2, done_at = $3
FROM (SELECT operator.id FROM operator JOIN proposal ON proposed_by = operator.id
    WHERE proposal.id = $1 AND revoked_at IS NULL FOR SHARE OF operator) AS proposer
WHERE proposal.id = $1 AND done_at IS NULL AND expires_at > $3
RETURNING proposal.id;
