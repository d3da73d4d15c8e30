-- ledger_lines
-- Append lines in the order given, each with the balance of its currency after it: the last balance, read once for each
-- currency, plus the amounts since.
INSERT INTO sandbox_bank_line (reference, asset, amount, balance, booked_at)
SELECT line.reference, line.asset, line.amount,
    coalesce(last.balance, 0) + sum(line.amount) OVER (PARTITION BY line.asset ORDER BY line.n), $4
FROM unnest($1::text[], $2::text[], $3::numeric[]) WITH ORDINALITY AS line (reference, asset, amount, n)
LEFT JOIN (
    SELECT code, (SELECT balance FROM sandbox_bank_line WHERE asset = code ORDER BY id DESC LIMIT 1) AS balance
    FROM (SELECT DISTINCT unnest($2::text[])) AS currency (code)
) AS last ON last.code = line.asset
ORDER BY line.n;

-- bank_balances
-- The newest balance of each currency.
SELECT DISTINCT ON (asset) asset, balance FROM sandbox_bank_line ORDER BY asset, id DESC;

-- insert_movements
-- Record deposits and withdrawals that the bank has booked.
INSERT INTO bank_movement (id, direction, state, wallet_id, asset, amount, transfer_id, bank_reference, created_at,
    settled_at)
SELECT id, direction, 'settled', wallet_id, asset, amount, transfer_id, bank_reference, $8, $8
FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::text[], $5::numeric[], $6::uuid[], $7::text[])
    AS moved (id, direction, wallet_id, asset, amount, transfer_id, bank_reference);
