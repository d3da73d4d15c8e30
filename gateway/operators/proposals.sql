-- propose
-- Add a proposal. Those that repair what a restore has lost are added in repair_proposal.sql.
INSERT INTO proposal (
    id, kind, wallet_id, reason, freeze_id, proposed_by, proposed_at, expires_at, asset, payment, day, terms
) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12);

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
-- Read one proposal.
SELECT proposal.id, kind, wallet_id, wallet.handle, reason, terms, freeze_id, recovery_id, proposal.address,
    proposed_at, expires_at, proposer.name AS proposed_by, approver.name AS approved_by, done_at, proposer.revoked_at
FROM proposal LEFT JOIN wallet ON wallet.id = wallet_id JOIN operator AS proposer ON proposer.id = proposal.proposed_by
LEFT JOIN operator AS approver ON approver.id = proposal.approved_by
WHERE proposal.id = $1;
