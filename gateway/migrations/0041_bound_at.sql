-- Up to which block what lay at a bound address came into the book as one sum: a block that is read again later posts no
-- movement of it up to there a second time. Of an address whose key the gateway keeps it says nothing: nothing lay there.

ALTER TABLE wallet_address ADD COLUMN read_to bigint NOT NULL DEFAULT 9223372036854775807;   -- bound before: unknown
ALTER TABLE wallet_address ALTER COLUMN read_to SET DEFAULT 0;
