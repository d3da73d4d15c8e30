-- What waits for its payer: found by itself, however many payments came since.
CREATE INDEX payment_waiting ON payment (payer, id) WHERE state = 'requires_confirmation';
