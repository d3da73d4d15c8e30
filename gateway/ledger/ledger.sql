-- declare_asset
-- Register an asset. It never gets other decimals: the ledger's units would mean something else.
WITH fresh AS (
    INSERT INTO asset (code, kind, decimals, backing) VALUES ($1, $2, $3, $4) ON CONFLICT (code) DO NOTHING
)
SELECT kind, decimals, backing FROM asset WHERE code = $1;

-- known_assets
-- Every asset that was ever registered.
SELECT code, kind, decimals, backing FROM asset;

-- open_accounts
-- Open accounts in the order given, which is that of their codes. If another transaction opens one at the same time,
-- this waits for it and changes nothing. It locks nothing then, because that could break the id order in which
-- `ledger_write` locks.
INSERT INTO account (code, asset, normal, guarded)
SELECT code, asset, normal::side, guarded
FROM unnest($1::text[], $2::text[], $3::text[], $4::boolean[]) WITH ORDINALITY AS a (code, asset, normal, guarded, n)
ORDER BY n
ON CONFLICT (code) DO NOTHING;

-- account_ids
-- Ids by code, for legs.
SELECT code, id FROM account WHERE code = ANY ($1);

-- lock_accounts
-- Lock accounts for several writes of one transaction, which would otherwise lock them one after the other.
SELECT FROM account WHERE id = ANY ($1) ORDER BY id FOR NO KEY UPDATE;

-- accounts_by_id
-- Accounts and their assets, for the errors of a short account and of a capture above the hold.
SELECT account.id, account.code, account.asset, account.normal::text, asset.kind, asset.decimals, asset.backing
FROM account JOIN asset ON asset.code = account.asset
WHERE account.id = ANY ($1);

-- balances
-- Balances on the normal side, and the part that is pending.
SELECT code, asset,
    CASE normal WHEN 'credit' THEN credits_posted - debits_posted ELSE debits_posted - credits_posted END AS posted,
    CASE normal WHEN 'credit' THEN debits_pending ELSE credits_pending END AS pending
FROM account WHERE code = ANY ($1);

-- last_before
-- Per account and time, the number of the last entry before the time and the balance after it; 0 and 0 if there is
-- none, and no row if the account is not open. Times never decrease along an account's numbers, so the entry is found
-- by bisecting the numbers: 23 look-ups of the primary key in five million entries. (The limit keeps each of them a
-- look-up, whatever the planner estimates for a join with all entries.)
WITH RECURSIVE search AS (
    SELECT asked.place, asked.at, account.id, 0::bigint AS low, account.entries AS high
    FROM unnest($1::text[], $2::timestamptz[]) WITH ORDINALITY AS asked (code, at, place)
    JOIN account ON account.code = asked.code
    UNION ALL
    SELECT search.place, search.at, search.id,
        CASE WHEN middle.posted_at < search.at THEN middle.number ELSE search.low END,
        CASE WHEN middle.posted_at < search.at THEN search.high ELSE middle.number - 1 END
    FROM search, LATERAL (
        SELECT number, posted_at FROM entry
        WHERE account_id = search.id AND number = (search.low + search.high + 1) / 2 LIMIT 1
    ) AS middle
    WHERE search.low < search.high
)
SELECT search.place, search.low AS number,
    coalesce((SELECT balance FROM entry WHERE account_id = search.id AND number = search.low), 0) AS balance
FROM search WHERE search.low = search.high;

-- statement_page
-- One account's entries before a given number, newest first, each with its purpose. (The view reads a page of each of
-- two indexes, and merges them.) The numbers have no gaps, so a page is a range of them. With a LIMIT that is a
-- parameter, the planner would assume a tenth of the account, and plan the statement again at each call. The constant
-- limit keeps each index a look-up.
SELECT number, side::text, amount, balance, posted_at, purpose, subject
FROM (SELECT id, least($2, entries + 1) AS before FROM account WHERE code = $1) AS own, LATERAL (
    SELECT * FROM entry WHERE account_id = own.id AND number >= own.before - $3 AND number < own.before
    ORDER BY number DESC LIMIT 10000
) AS page
ORDER BY number DESC;

-- lock_holds
-- Holds that are to end, leg by leg, locked in id order.
SELECT id, state::text, purpose, subject, debit_id, credit_id, amount
FROM hold
WHERE id = ANY ($1)
ORDER BY id, leg
FOR UPDATE;

-- ledger_write
-- Any mixture of transfers, holds and ends; see schema/02_ledger_writers.sql.
SELECT outcome, short_account, short_available
FROM ledger_write($1, $2, $3, $4, ($5::text[])::hold_state[], $6, $7, $8, $9, $10, $11, $12, $13);

-- ledger_end
-- Ends of holds that are locked and pending; see schema/02_ledger_writers.sql.
SELECT ledger_end($1, $2, $3, ($4::text[])::hold_state[], $5);
