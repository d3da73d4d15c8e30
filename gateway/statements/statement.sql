-- sums_between
-- Per account and range of numbers, the sums that came in and went out, in units of the account's normal side. Only
-- ranges that have entries; each is read by the indexes of the accounts' numbers.
SELECT asked.place, sums.paid_in, sums.paid_out
FROM unnest($1::text[], $2::bigint[], $3::bigint[]) WITH ORDINALITY AS asked (code, after, last, place)
JOIN account ON account.code = asked.code AND asked.last > asked.after, LATERAL (
    SELECT coalesce(sum(amount) FILTER (WHERE side = account.normal), 0) AS paid_in,
        coalesce(sum(amount) FILTER (WHERE side <> account.normal), 0) AS paid_out
    FROM entry WHERE account_id = account.id AND number > asked.after AND number <= asked.last
) AS sums;
