-- The ledger: assets, accounts, holds, and the transfers between accounts. What writes them is in 02_ledger_writers.sql.
--
-- The files of this folder are the schema as it is, in the order of their names. A primary key or foreign key without a
-- name has the one that PostgreSQL gives it (<table>_pkey, <table>_<column>_fkey); everything else is named.
--
-- Named constraints carry the guarantees, so that a mistake in the gateway's code cannot write a wrong ledger:
--   account_available_covered   an intent never takes a guarded account's available balance below zero
--   account_posted_covered      nothing takes a guarded account's posted balance below zero
--   transfer_has_two_accounts   a transfer debits one account and credits another by the same amount
--   transfer_moves_one_asset    both of its accounts are of one asset
--   account_counts_its_entries  an account's posted balances change with its count of entries, which never goes back
--   entry_follows_entry         an account's entries are numbered without gaps, each balance is the one before plus or
--                               minus the amount, and the account's counters agree with its last entry
--   transfer_is_append_only     a transfer is never changed or deleted (ledger_payment_is_append_only: nor a payment)

CREATE DOMAIN units AS numeric CONSTRAINT units_are_whole CHECK (VALUE = trunc(VALUE));
CREATE DOMAIN amount AS numeric
    CONSTRAINT amount_is_positive CHECK (VALUE > 0)
    CONSTRAINT amount_is_whole CHECK (VALUE = trunc(VALUE))
    CONSTRAINT amount_fits_uint256
        CHECK (VALUE < 115792089237316195423570985008687907853269984665640564039457584007913129639936);
CREATE DOMAIN memo AS text CONSTRAINT memo_length CHECK (length(VALUE) <= 280);
CREATE TYPE side AS ENUM ('debit', 'credit');
CREATE TYPE hold_state AS ENUM ('pending', 'posted', 'voided', 'expired');

-- Used by the triggers of tables whose rows are never changed or deleted.
CREATE FUNCTION append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME
        USING ERRCODE = 'check_violation', CONSTRAINT = TG_TABLE_NAME || '_is_append_only', TABLE = TG_TABLE_NAME;
END $$;

-- Fiat currencies, tokens and native coins; amounts are in whole units of `decimals` places.
CREATE TABLE asset (
    code text PRIMARY KEY,
    kind text NOT NULL CONSTRAINT asset_kind_known CHECK (kind IN ('fiat', 'token', 'native')),
    decimals smallint NOT NULL CONSTRAINT asset_decimals_sane CHECK (decimals BETWEEN 0 AND 36),
    backing text                       -- of a token: the fiat asset that backs it
);
CREATE TRIGGER asset_is_kept BEFORE DELETE OR TRUNCATE ON asset
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();

-- Accounts of wallets and of the operator, with their balances as running totals of each side.
CREATE TABLE account (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    code text NOT NULL CONSTRAINT account_code_unique UNIQUE,
    asset text NOT NULL REFERENCES asset (code),
    normal side NOT NULL,              -- the side that increases the balance
    guarded boolean NOT NULL,          -- whether an intent must leave the available balance at or above zero
    debits_posted numeric NOT NULL DEFAULT 0,
    credits_posted numeric NOT NULL DEFAULT 0,
    debits_pending numeric NOT NULL DEFAULT 0,
    credits_pending numeric NOT NULL DEFAULT 0,
    shortfall numeric NOT NULL DEFAULT 0,   -- how far unconditional postings have taken `available` below zero
    entries bigint NOT NULL DEFAULT 0,      -- how many there are, which is the number of the last
    posted_at timestamptz NOT NULL DEFAULT '-infinity',  -- of the last entry
    owner uuid,                        -- the wallet, of a wallet's account
    closed boolean NOT NULL DEFAULT false,     -- its wallet was closed: nobody pays into it any more
    CONSTRAINT account_counters_not_negative CHECK (
        debits_posted >= 0 AND credits_posted >= 0 AND debits_pending >= 0 AND credits_pending >= 0 AND shortfall >= 0
    ),
    CONSTRAINT account_available_covered CHECK (
        NOT guarded
        OR shortfall + CASE normal
            WHEN 'credit' THEN credits_posted - debits_posted - debits_pending
            ELSE debits_posted - credits_posted - credits_pending END >= 0
    ),
    CONSTRAINT account_posted_covered CHECK (
        NOT guarded OR CASE normal
            WHEN 'credit' THEN credits_posted - debits_posted
            ELSE debits_posted - credits_posted END >= 0
    )
) WITH (fillfactor = 50);  -- room on the page, so that changing counters changes no index (a HOT update)
CREATE UNIQUE INDEX account_owner_asset ON account (owner, asset) WHERE owner IS NOT NULL;
CREATE TRIGGER account_is_kept BEFORE DELETE OR TRUNCATE ON account
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();

-- Postings to an account only increase its counters.
CREATE FUNCTION account_counts_its_entries() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'account % has other balances and no further entry', OLD.code
        USING ERRCODE = 'check_violation', CONSTRAINT = 'account_counts_its_entries', TABLE = 'account';
END $$;
CREATE TRIGGER account_counts_its_entries AFTER UPDATE OF debits_posted, credits_posted, entries ON account
    FOR EACH ROW WHEN (
        NEW.entries < OLD.entries OR NEW.entries = OLD.entries
            AND (NEW.debits_posted <> OLD.debits_posted OR NEW.credits_posted <> OLD.credits_posted)
    ) EXECUTE FUNCTION account_counts_its_entries();

-- Refuses transfers and holds into a closed account. Payments to a closed wallet are normally refused earlier, by its
-- handle; one that was in progress when the wallet was closed is retried (40001). Tokens that arrive on the chain are
-- still posted: a transfer there cannot be refused, and tokens at a previous address are swept to the owner's current
-- one (custody/sweep.py).
CREATE FUNCTION account_is_closed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.credits_pending > OLD.credits_pending
        OR (NEW.debits_pending > OLD.debits_pending OR NEW.entries > OLD.entries)
            AND (SELECT kind FROM asset WHERE code = OLD.asset) = 'fiat' THEN
        RAISE EXCEPTION 'account % is closed', OLD.code USING ERRCODE = 'serialization_failure';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER account_is_closed AFTER UPDATE ON account  -- not BEFORE, which would lock each row first, with a record in the log
    FOR EACH ROW WHEN (OLD.closed) EXECUTE FUNCTION account_is_closed();

-- A wallet's account is named wallet:<handle>:<asset>. Its owner is stored, so that the parties of a payment and their
-- accounts are found together.
CREATE FUNCTION account_owned() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    SELECT id, closed_at IS NOT NULL INTO NEW.owner, NEW.closed FROM wallet WHERE handle = split_part(NEW.code, ':', 2);
    NEW.closed := coalesce(NEW.closed, false);
    RETURN NEW;
END $$;
CREATE TRIGGER account_owned BEFORE INSERT ON account
    FOR EACH ROW WHEN (NEW.code LIKE 'wallet:%') EXECUTE FUNCTION account_owned();

-- An amount that was posted from one account to another: one row has both of its entries. A movement of several legs (a
-- payment and its fee) is several transfers of one id, written together. Tables that are inserted into far more than
-- updated are vacuumed and analyzed often, in small steps.
--
-- There are no foreign keys to the accounts: `transfer_checked` verifies them for all rows of a statement at once, and
-- an account is never deleted.
CREATE TABLE transfer (
    debit_id bigint NOT NULL,
    debit_number bigint NOT NULL,      -- of the entry on the debited account
    credit_id bigint NOT NULL,
    credit_number bigint NOT NULL,
    posted_at timestamptz NOT NULL,    -- never earlier than that of the entry before, on either account
    id uuid NOT NULL,
    leg smallint NOT NULL,             -- from 1
    amount amount NOT NULL,
    debit_balance units NOT NULL,      -- of the debited account after this entry, on its normal side
    credit_balance units NOT NULL,
    purpose text NOT NULL,             -- payment, refund, deposit, withdrawal, conversion, observation, gas
    subject uuid,                      -- the payment, deposit, … that it is for, where that is another id than its own
    PRIMARY KEY (id, leg),
    CONSTRAINT transfer_debit_number_unique UNIQUE (debit_id, debit_number),
    CONSTRAINT transfer_credit_number_unique UNIQUE (credit_id, credit_number),
    CONSTRAINT transfer_has_two_accounts CHECK (debit_id <> credit_id),
    CONSTRAINT transfer_numbers_from_one CHECK (debit_number >= 1 AND credit_number >= 1)
) WITH (autovacuum_vacuum_insert_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);
CREATE TRIGGER transfer_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON transfer
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();

-- A payment on the ledger rail that settled when it was accepted. One row is the payment, its transfer with both entries,
-- its idempotency key and its event in the log: nothing else is written for it. Where it has a fee, that is a second leg
-- with the same id, time and event. (What is held first, waits for an approval or goes by the chain is a
-- `staged_payment` and a `transfer`.)
--
-- The time is one for all that are accepted together, and after that of every entry before on their accounts; the id is
-- made of it and of the payment's place among them. So on each account ids and events rise with the numbers, and lists
-- by id and pages of events are found by number, without an index of their own (`last_payment`).
CREATE TABLE ledger_payment (
    debit_id bigint NOT NULL,
    debit_number bigint NOT NULL,
    credit_id bigint NOT NULL,
    credit_number bigint NOT NULL,
    posted_at timestamptz NOT NULL,
    event bigint NOT NULL,             -- the number of its event, payment.settled
    id uuid NOT NULL,
    leg smallint NOT NULL,             -- 1 is the payment, 2 its fee
    amount amount NOT NULL,
    debit_balance units NOT NULL,
    credit_balance units NOT NULL,
    idempotency_hash bytea,            -- of its idempotency key
    fingerprint bytea,                 -- of the request, as in `idempotency_key`
    refund_of uuid,
    fee amount,
    memo memo,
    PRIMARY KEY (id, leg),
    CONSTRAINT ledger_payment_debit_number_unique UNIQUE (debit_id, debit_number),
    CONSTRAINT ledger_payment_credit_number_unique UNIQUE (credit_id, credit_number),
    CONSTRAINT ledger_payment_idempotency_hash_unique UNIQUE (idempotency_hash),
    CONSTRAINT ledger_payment_event_unique UNIQUE (event, leg),
    CONSTRAINT transfer_has_two_accounts CHECK (debit_id <> credit_id),
    CONSTRAINT transfer_numbers_from_one CHECK (debit_number >= 1 AND credit_number >= 1)
) WITH (autovacuum_vacuum_insert_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);
CREATE TRIGGER ledger_payment_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_payment
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();

-- An account's statement: each transfer as it looks from either of its accounts.
CREATE VIEW entry AS
    SELECT debit_id AS account_id, debit_number AS number, id AS transfer_id, 'debit'::side AS side, amount,
        debit_balance AS balance, posted_at, CASE WHEN refund_of IS NULL THEN 'payment' ELSE 'refund' END AS purpose,
        id AS subject
    FROM ledger_payment
    UNION ALL
    SELECT credit_id, credit_number, id, 'credit'::side, amount, credit_balance, posted_at,
        CASE WHEN refund_of IS NULL THEN 'payment' ELSE 'refund' END, id
    FROM ledger_payment
    UNION ALL
    SELECT debit_id, debit_number, id, 'debit'::side, amount, debit_balance, posted_at, purpose, coalesce(subject, id)
    FROM transfer
    UNION ALL
    SELECT credit_id, credit_number, id, 'credit'::side, amount, credit_balance, posted_at, purpose,
        coalesce(subject, id)
    FROM transfer;

-- An amount that is set aside on one account for another, until it is captured (a transfer of the same id and leg posts
-- what was captured), voided or expires. A hold of several legs is several rows of one id, which end together.
CREATE TABLE hold (
    id uuid NOT NULL,
    leg smallint NOT NULL,
    state hold_state NOT NULL,
    debit_id bigint NOT NULL,
    credit_id bigint NOT NULL,
    amount amount NOT NULL,
    purpose text NOT NULL,
    subject uuid NOT NULL,
    created_at timestamptz NOT NULL,
    ended_at timestamptz,
    PRIMARY KEY (id, leg),
    CONSTRAINT hold_has_two_accounts CHECK (debit_id <> credit_id),
    CONSTRAINT hold_pending_has_no_end CHECK ((state = 'pending') = (ended_at IS NULL))
) WITH (fillfactor = 50);  -- as of account: each hold ends once
CREATE TRIGGER hold_is_kept BEFORE DELETE OR TRUNCATE ON hold
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();

-- Checks the transfers of one statement on both of their accounts, against the accounts and the entries before them; only
-- what is wrong comes back. On each account the new entries have to be its last: numbered without gaps up to what the
-- account counts, the first of them following the last that was there. So no number is both a debit's and a credit's,
-- though each side has an index of its own (and account_counts_its_entries). The limits keep each join an index lookup,
-- however the writer's plans are made.
CREATE FUNCTION transfer_checked() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    wrong record;
BEGIN
    SELECT checked.id, checked.one_asset INTO wrong
    FROM (
        SELECT half.id,
            account.asset = (SELECT asset FROM account WHERE id = half.other_id) AS one_asset,
            (CASE WHEN half.previous_number IS NOT NULL THEN half.number = half.previous_number + 1
                ELSE half.number = 1 OR previous.balance IS NOT NULL END)
            AND half.posted_at >= coalesce(half.previous_posted_at, previous.posted_at, '-infinity')
            AND half.balance = coalesce(half.previous_balance, previous.balance, 0)
                + CASE account.normal WHEN half.side THEN half.amount ELSE -half.amount END
            AND (half.has_next OR half.number = account.entries AND half.balance =
                CASE account.normal WHEN 'credit' THEN account.credits_posted - account.debits_posted
                    ELSE account.debits_posted - account.credits_posted END) AS follows
        FROM (
            SELECT *, lag(number) OVER own AS previous_number, lag(balance) OVER own AS previous_balance,
                lag(posted_at) OVER own AS previous_posted_at, lead(number) OVER own IS NOT NULL AS has_next
            FROM (
                SELECT id, amount, posted_at, debit_id AS account_id, 'debit'::side AS side, debit_number AS number,
                    debit_balance AS balance, credit_id AS other_id
                FROM fresh
                UNION ALL
                SELECT id, amount, posted_at, credit_id, 'credit'::side, credit_number, credit_balance, debit_id
                FROM fresh
            ) AS half
            WINDOW own AS (PARTITION BY account_id ORDER BY number)
        ) AS half
        LEFT JOIN LATERAL (
            SELECT asset, normal, entries, credits_posted, debits_posted FROM account
            WHERE id = half.account_id LIMIT 1
        ) AS account ON true
        LEFT JOIN LATERAL (
            SELECT balance, posted_at FROM entry
            WHERE half.previous_number IS NULL AND account_id = half.account_id AND number = half.number - 1 LIMIT 1
        ) AS previous ON true
    ) AS checked
    WHERE checked.one_asset IS NOT TRUE OR checked.follows IS NOT TRUE
    LIMIT 1;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    IF wrong.one_asset IS FALSE THEN
        RAISE EXCEPTION 'transfer % is between accounts of two assets', wrong.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'transfer_moves_one_asset', TABLE = TG_TABLE_NAME;
    END IF;
    RAISE EXCEPTION 'an entry of transfer % does not follow from the one before', wrong.id
        USING ERRCODE = 'check_violation', CONSTRAINT = 'entry_follows_entry', TABLE = TG_TABLE_NAME;
END $$;
CREATE TRIGGER transfer_checked AFTER INSERT ON transfer
    REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION transfer_checked();
CREATE TRIGGER ledger_payment_checked AFTER INSERT ON ledger_payment
    REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION transfer_checked();

