-- book_line
-- A line with the balance after it.
INSERT INTO sandbox_bank_line (reference, asset, amount, balance, booked_at)
SELECT $1, $2, $3::numeric,
    $3::numeric + coalesce((SELECT balance FROM sandbox_bank_line WHERE asset = $2 ORDER BY id DESC LIMIT 1), 0), $4;

-- bank_balances
-- The newest balance of each currency.
SELECT DISTINCT ON (asset) asset, balance FROM sandbox_bank_line ORDER BY asset, id DESC;

-- insert_movement
-- A deposit or withdrawal that the bank has booked.
INSERT INTO bank_movement (id, direction, state, wallet_id, asset, amount, transfer_id, bank_reference, created_at,
    settled_at)
VALUES ($1, $2, 'settled', $3, $4, $5::numeric, $6, $7, $8, $8);
