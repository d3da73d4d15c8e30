-- payments_that_fit
-- Those of a wallet's next $4 payments, newest first from below $2 down to $3, that fit the filters from $10 on. What is
-- walked is what $6 names: `all` of them, as payer ($7) and payee ($8); those in a `state` that few payments are in; or
-- those of a `reference`. The payments of the other side ($9) are walked as well: whichever of the two walks gets further
-- down decides how far it is known what fits. A walk ends when the page is full; where it never is, how many each walk
-- had, and to which, stands in each row, or in a row that has nothing else. The planner is not told which wallet it is: of
-- one that has a good part of all payments it would read everybody's, the newest first, and plan that anew each time.
WITH own AS MATERIALIZED (
    SELECT * FROM payments_of_wallet($1, $6 = 'all' AND $7, $6 = 'all' AND $8, $3, $2, $4)
    UNION ALL
    (SELECT there.* FROM (
        (SELECT id FROM staged_payment WHERE $6 = 'state' AND $7 AND payer = (SELECT $1::uuid) AND id < $2 AND id >= $3
            AND rare_state = (SELECT $10::text)
         ORDER BY id DESC LIMIT $4)
        UNION ALL
        (SELECT id FROM staged_payment WHERE $6 = 'state' AND $8 AND payee = (SELECT $1::uuid) AND NOT hidden_from_payee
            AND id < $2 AND id >= $3 AND rare_state = (SELECT $10::text)
         ORDER BY id DESC LIMIT $4)
        UNION ALL
        (SELECT payment_id FROM payment_note
         WHERE $6 = 'reference' AND wallet_id = $1 AND reference = $23::text AND payment_id < $2 AND payment_id >= $3
         ORDER BY payment_id DESC LIMIT $4)
        ORDER BY id DESC LIMIT $4
     ) AS found, LATERAL (SELECT * FROM payment WHERE id = found.id LIMIT 1) AS there)
), other AS MATERIALIZED (
    SELECT * FROM payments_of_wallet($9, true, true, $3, $2, $4)
), page AS MATERIALIZED (
    SELECT * FROM (
        SELECT * FROM own UNION ALL SELECT * FROM other WHERE id NOT IN (SELECT id FROM own)
    ) AS walked
    WHERE (payer = $1 OR payee = $1 AND NOT hidden_from_payee)
        AND ($10::text IS NULL OR state = $10) AND ($11::text IS NULL OR asset = $11)
        AND ($12::text IS NULL OR memo = $12) AND ($13::text IS NULL OR rail = $13)
        AND ($14::uuid IS NULL OR payer = $14)
        AND ($15::uuid IS NULL OR payee = $15 OR payee_address = $16::text)
        AND ($17::uuid IS NULL OR payer = $17 OR payee = $17 OR payee_address = $18::text)
        AND ($19::timestamptz IS NULL OR created_at >= $19) AND ($20::timestamptz IS NULL OR created_at < $20)
        AND ($21::numeric IS NULL OR amount >= $21) AND ($22::numeric IS NULL OR amount <= $22)
    ORDER BY id DESC LIMIT $5
)
SELECT page.*, walks.*, note.wallet_id AS note_author, note.reference, note.metadata,
    CASE WHEN page.payer = $1 THEN (SELECT handle FROM wallet WHERE id = $1) ELSE party.handle END AS payer_handle,
    CASE WHEN page.payee = $1 THEN (SELECT handle FROM wallet WHERE id = $1) ELSE party.handle END AS payee_handle
FROM (
    SELECT CASE WHEN short THEN (SELECT count(*) FROM own) END AS own_walked,
        CASE WHEN short THEN (SELECT id FROM own ORDER BY id LIMIT 1) END AS own_to,
        CASE WHEN short THEN (SELECT count(*) FROM other) END AS other_walked,
        CASE WHEN short THEN (SELECT id FROM other ORDER BY id LIMIT 1) END AS other_to
    FROM (SELECT count(*) < $5 FROM page) AS found (short)
) AS walks
LEFT JOIN page ON true
LEFT JOIN wallet AS party ON party.id = CASE WHEN page.payer = $1 THEN page.payee ELSE page.payer END
LEFT JOIN payment_note AS note ON note.payment_id = page.id
ORDER BY page.id DESC;
