-- lock_operators
-- Who approves and who proposed, in the order that everybody takes them in.
SELECT name, role FROM operator WHERE id = $1 OR name = $2 ORDER BY id FOR NO KEY UPDATE;

-- proposed_correction
-- Read what a proposed correction moves: its accounts and its amount.
SELECT debit, credit, asset, amount FROM proposal WHERE id = $1;

-- lock_policy
-- One payment of the wallet after the other is decided, and none of them now.
SELECT FROM policy WHERE wallet_id = $1 FOR NO KEY UPDATE;

-- set_limit_as_proposed
-- Set a wallet's limits for an asset to those of a proposal.
INSERT INTO policy_limit (wallet_id, asset, payment, day)
SELECT wallet_id, asset, payment, day FROM proposal WHERE id = $1
ON CONFLICT (wallet_id, asset) DO UPDATE SET payment = excluded.payment, day = excluded.day;

-- approve
-- Once, in time, by somebody else, while who proposed it is an operator.
UPDATE proposal SET approved_by = $2, done_at = $3
FROM (SELECT operator.id FROM operator JOIN proposal ON proposed_by = operator.id
    WHERE proposal.id = $1 AND revoked_at IS NULL FOR SHARE OF operator) AS proposer
WHERE proposal.id = $1 AND done_at IS NULL AND expires_at > $3
RETURNING proposal.id;
