-- What two operators do to the gateway itself: confirm what a restore has lost, give a lost handle back, and correct the
-- ledger by a transfer of its own, with the reason beside it.

ALTER TABLE proposal
    ALTER COLUMN wallet_id DROP NOT NULL,
    ADD COLUMN recovery_id uuid REFERENCES recovery (id),
    ADD COLUMN address text REFERENCES lost_address (address),
    ADD COLUMN debit text,             -- the codes of two accounts
    ADD COLUMN credit text,
    ADD COLUMN amount amount,
    DROP CONSTRAINT proposal_kind_known,
    ADD CONSTRAINT proposal_kind_known CHECK (kind IN (
        'wallet.freeze', 'wallet.unfreeze', 'wallet.limit', 'recovery.confirm', 'handle.return', 'ledger.correct')),
    DROP CONSTRAINT proposal_limit_is_whole,
    ADD CONSTRAINT proposal_is_whole CHECK (CASE kind
        WHEN 'wallet.limit' THEN num_nulls(wallet_id, asset, payment, day, terms) = 0
            AND num_nonnulls(recovery_id, address, debit, credit, amount) = 0
        WHEN 'recovery.confirm' THEN num_nulls(recovery_id, terms) = 0
            AND num_nonnulls(wallet_id, asset, payment, day, address, debit, credit, amount) = 0
        WHEN 'handle.return' THEN num_nulls(address, terms) = 0
            AND num_nonnulls(wallet_id, asset, payment, day, recovery_id, debit, credit, amount) = 0
        WHEN 'ledger.correct' THEN num_nulls(asset, debit, credit, amount, terms) = 0
            AND num_nonnulls(wallet_id, payment, day, recovery_id, address) = 0
        ELSE wallet_id IS NOT NULL
            AND num_nonnulls(asset, payment, day, terms, recovery_id, address, debit, credit, amount) = 0 END);

CREATE TABLE correction (
    id uuid PRIMARY KEY,               -- of its transfer as well
    debit text NOT NULL,
    credit text NOT NULL,
    asset text NOT NULL REFERENCES asset (code),
    amount amount NOT NULL,
    reason text NOT NULL,
    by text[] NOT NULL CONSTRAINT correction_has_somebody CHECK (cardinality(by) > 0),
    posted_at timestamptz NOT NULL
);
CREATE TRIGGER correction_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON correction
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();
