-- transaction_of_hash
-- What was sent under this hash.
SELECT sent.id, relayer, nonce, kind, state, asset
FROM attempt JOIN chain_transaction AS sent ON sent.id = transaction_id WHERE attempt.hash = $1;

-- payments_under_way
-- The payments in a transaction that is not final yet; by the index of what is under way, which is little.
SELECT payment.id FROM token_authorization AS authorized JOIN staged_payment AS payment ON authorization_id = authorized.id
WHERE authorized.asset = $2 AND authorized.state = 'submitted' AND transaction_id = $1 LIMIT 100;

-- subjects_of_transaction
-- What the logs of a transaction in this final block have posted.
SELECT DISTINCT coalesce(subject, transfer.id) AS subject FROM observation JOIN transfer ON transfer.id = transfer_id
WHERE chain_id = $1 AND block_number = $2 AND transaction_hash = $3 LIMIT 100;

-- final_block_of
-- The block whose final log settled a payment.
SELECT seen.chain_id, seen.block_number
FROM staged_payment AS payment JOIN observation AS seen ON seen.transfer_id = payment.transfer_id WHERE payment.id = $1;
