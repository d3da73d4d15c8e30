-- From when an authorization may be settled, in Unix seconds. Other people's wallets sign a time in the past; ours, 0.
ALTER TABLE token_authorization ADD COLUMN valid_after bigint NOT NULL DEFAULT 0
    CONSTRAINT token_authorization_valid_after_not_negative CHECK (valid_after >= 0);
