-- propose_repair
-- Add a proposal to confirm a recovery, to return a handle or to correct a balance.
INSERT INTO proposal (
    id, kind, reason, proposed_by, proposed_at, expires_at, terms, recovery_id, address, asset, debit, credit, amount
) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13);
