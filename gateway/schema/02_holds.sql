-- Sets amounts aside that every payer has enough for, whatever their order; where one has not, account_available_covered
-- refuses all of them. It writes what book_write would, for less: accounts are locked by the one statement that changes
-- them, in the order of their ids, and nothing is decided. (A hold takes from what is available and fills nothing up, so
-- `shortfall` stays.) Each hold has one leg and is its own subject.
CREATE FUNCTION ledger_hold(
    at timestamptz, hold_id uuid[], debit bigint[], credit bigint[], amount numeric[], purpose text
) RETURNS void LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    UPDATE account SET
        debits_pending = account.debits_pending + part.given, credits_pending = account.credits_pending + part.got
    FROM (
        SELECT account, sum(given) AS given, sum(got) AS got
        FROM (
            SELECT debit AS account, amount AS given, 0 AS got FROM unnest(debit, amount) AS half (debit, amount)
            UNION ALL
            SELECT credit, 0, amount FROM unnest(credit, amount) AS half (credit, amount)
        ) AS half
        GROUP BY account
        ORDER BY account
    ) AS part
    WHERE account.id = part.account;
    INSERT INTO hold (id, leg, state, debit_id, credit_id, amount, purpose, subject, created_at)
    SELECT new.id, 1, 'pending', new.debit, new.credit, new.amount, purpose, new.id, at
    FROM unnest(hold_id, debit, credit, amount) AS new (id, debit, credit, amount);
END $$;
