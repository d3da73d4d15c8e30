-- unbalanced_assets
-- Debits and credits of each asset, over all accounts.
SELECT asset AS where FROM account
GROUP BY asset HAVING sum(debits_posted) <> sum(credits_posted) OR sum(debits_pending) <> sum(credits_pending);

-- unbalanced_transfers
-- Per transfer: both of its accounts exist, and are of one asset.
SELECT transfer.id::text AS where FROM (
    SELECT id, debit_id, credit_id FROM transfer UNION ALL SELECT id, debit_id, credit_id FROM ledger_payment
) AS transfer
LEFT JOIN account AS debit ON debit.id = debit_id
LEFT JOIN account AS credit ON credit.id = credit_id
WHERE debit.asset = credit.asset IS NOT TRUE;

-- wrong_counters
-- Per account: its counters compared with the sum of its entries.
SELECT account.code AS where FROM account
LEFT JOIN (
    SELECT account_id, count(*) AS entries,
        sum(amount) FILTER (WHERE side = 'debit') AS debits, sum(amount) FILTER (WHERE side = 'credit') AS credits
    FROM entry GROUP BY account_id
) AS run ON run.account_id = account.id
WHERE account.entries <> coalesce(run.entries, 0)
    OR account.debits_posted <> coalesce(run.debits, 0)
    OR account.credits_posted <> coalesce(run.credits, 0);

-- broken_runs
-- Per account: gaps in the numbers, wrong balances, times that decrease.
SELECT DISTINCT code AS where FROM (
    SELECT account.code, entry.number, entry.balance, entry.posted_at,
        row_number() OVER run AS nth,
        lag(entry.posted_at, 1, '-infinity') OVER run AS posted_before,
        sum(CASE WHEN entry.side = account.normal THEN entry.amount ELSE -entry.amount END) OVER run AS expected
    FROM entry JOIN account ON account.id = entry.account_id
    WINDOW run AS (PARTITION BY entry.account_id ORDER BY entry.number)
) AS runs
WHERE number <> nth OR balance <> expected OR posted_at < posted_before;

-- wrong_pending
-- Per account: its pending amount compared with the sum of its pending holds.
SELECT account.code AS where FROM account
LEFT JOIN (
    SELECT account_id, sum(debit) AS debits, sum(credit) AS credits
    FROM hold, LATERAL (VALUES (debit_id, amount, 0), (credit_id, 0, amount)) AS half (account_id, debit, credit)
    WHERE state = 'pending'
    GROUP BY account_id
) AS held ON held.account_id = account.id
WHERE account.debits_pending <> coalesce(held.debits, 0) OR account.credits_pending <> coalesce(held.credits, 0);
