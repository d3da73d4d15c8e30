-- What a token payment writes names other rows without a foreign key, as what a ledger payment writes does: each looked up
-- once more, by a statement of its own, what the transaction had just written or read, and locked it. Five of them were a
-- seventh of what a token payment cost PostgreSQL.
--
--   hold_leg              book_write has locked both accounts, and written the transfer
--   token_authorization   its asset has a contract, and that names the asset by a foreign key
--   payment               its authorization is queued before it, in its transaction
--   observation           the same transaction posts its transfer; its asset is a contract's too
--
-- None of these rows is ever removed: transfers and accounts are kept already, authorizations and assets are from now on.

ALTER TABLE hold_leg
    DROP CONSTRAINT hold_leg_transfer_id_fkey,
    DROP CONSTRAINT hold_leg_debit_id_fkey,
    DROP CONSTRAINT hold_leg_credit_id_fkey;
ALTER TABLE token_authorization DROP CONSTRAINT token_authorization_asset_fkey;
ALTER TABLE payment DROP CONSTRAINT payment_authorization_id_fkey;
ALTER TABLE observation
    DROP CONSTRAINT observation_asset_fkey,
    DROP CONSTRAINT observation_transfer_id_fkey;

CREATE TRIGGER asset_is_kept BEFORE DELETE OR TRUNCATE ON asset
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();
CREATE TRIGGER token_authorization_is_kept BEFORE DELETE OR TRUNCATE ON token_authorization
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();
