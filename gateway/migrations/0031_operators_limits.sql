-- Two operators can set what a guarded wallet pays without its owner's approval.

ALTER TABLE proposal
    ADD COLUMN asset text REFERENCES asset (code),
    ADD COLUMN payment units,
    ADD COLUMN day units,
    ADD COLUMN terms text,                         -- the limit in words, which is what is approved
    DROP CONSTRAINT proposal_kind_known,
    ADD CONSTRAINT proposal_kind_known CHECK (kind IN ('wallet.freeze', 'wallet.unfreeze', 'wallet.limit')),
    ADD CONSTRAINT proposal_limit_is_whole CHECK (
        num_nulls(asset, payment, day, terms) = CASE kind WHEN 'wallet.limit' THEN 0 ELSE 4 END
    );
