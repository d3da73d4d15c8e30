-- frozen
-- The assets whose withdrawals are stopped, and since when.
SELECT asset, frozen_at FROM withdrawal_freeze WHERE unfrozen_at IS NULL ORDER BY asset;

-- nothing_leaves
-- The same, and a row without an asset while the gateway is in recovery.
SELECT asset, frozen_at AS since FROM withdrawal_freeze WHERE unfrozen_at IS NULL
UNION ALL SELECT NULL, entered_at FROM recovery WHERE ended_at IS NULL;

-- freeze
-- Stop the withdrawals of these assets; a row for each that were not stopped yet.
INSERT INTO withdrawal_freeze (asset, frozen_at)
SELECT DISTINCT asset, $2::timestamptz FROM unnest($1::text[]) AS asset ORDER BY asset
ON CONFLICT (asset) WHERE unfrozen_at IS NULL DO NOTHING
RETURNING asset;

-- open_withdrawals
-- Authorizations of these tokens that are on their way out of the gateway, locked in id order.
SELECT a.id FROM token_authorization AS a
WHERE a.asset = ANY ($1) AND a.state IN ('queued', 'submitted') AND (
    a.kind = 'redemption' OR EXISTS (SELECT FROM staged_payment WHERE authorization_id = a.id AND payee IS NULL)
)
ORDER BY a.id FOR UPDATE;
