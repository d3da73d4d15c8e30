-- Notifications: the addresses that they are sent to, their owners' preferences, and the state of each delivery.

-- An address of a channel: an e-mail address, a browser that takes push messages. Until it is confirmed, only the code
-- that confirms it is sent to it. The address is encrypted under a master key, and is deleted with the row.
CREATE TABLE notification_address (
    id uuid PRIMARY KEY,
    wallet_id uuid NOT NULL REFERENCES wallet (id),
    channel text NOT NULL CONSTRAINT notification_address_channel_named CHECK (channel ~ '^[a-z_]{1,20}$'),
    ciphertext bytea NOT NULL,
    master integer NOT NULL,           -- the number of its master key
    lookup bytea,                      -- HMAC of the address under a key derived from the root key, by which operators find its wallet
    locale text NOT NULL,
    time_zone text NOT NULL,
    created_at timestamptz NOT NULL,
    confirmed_at timestamptz,          -- it is notified of events after this
    failure text,                      -- why nothing is sent to it any more
    failed_at timestamptz,
    removed_at timestamptz,            -- its owner no longer sees it; it is deleted once it was notified of that
    code_expires_at timestamptz,       -- while it waits to be confirmed: when the code expires
    code_tries integer NOT NULL DEFAULT 0 CONSTRAINT notification_address_counts_tries CHECK (code_tries >= 0),
    unsubscribe bytea NOT NULL CONSTRAINT notification_address_unsubscribe_unique UNIQUE
        CONSTRAINT notification_address_unsubscribe_is_a_sha256 CHECK (length(unsubscribe) = 32),
    CONSTRAINT notification_address_fails_for_a_reason CHECK ((failure IS NULL) = (failed_at IS NULL)),
    CONSTRAINT notification_address_is_confirmed_or_pending CHECK ((confirmed_at IS NULL) = (code_expires_at IS NOT NULL))
);
CREATE TRIGGER wallet_is_open BEFORE INSERT ON notification_address FOR EACH ROW EXECUTE FUNCTION wallet_is_open();
CREATE INDEX notification_address_of_wallet ON notification_address (wallet_id);
CREATE INDEX notification_address_lookup ON notification_address (lookup) WHERE lookup IS NOT NULL;
CREATE INDEX notification_address_of_master ON notification_address (master);
CREATE INDEX notification_address_removed ON notification_address (id) WHERE removed_at IS NOT NULL;
CREATE INDEX notification_address_unconfirmed ON notification_address (code_expires_at) WHERE confirmed_at IS NULL;
CREATE TRIGGER master_key_is_active BEFORE INSERT OR UPDATE ON notification_address
    FOR EACH ROW EXECUTE FUNCTION master_key_is_active();

-- The owner's mode of a channel for a kind of notification, if it differs from the default.
CREATE TABLE notification_preference (
    wallet_id uuid NOT NULL REFERENCES wallet (id),
    kind text NOT NULL,
    channel text NOT NULL,
    mode text NOT NULL CONSTRAINT notification_preference_mode_known CHECK (mode IN ('on', 'fallback', 'off')),
    PRIMARY KEY (wallet_id, kind, channel)
);

-- The last event whose notification the owner has seen.
CREATE TABLE notification_seen (
    wallet_id uuid PRIMARY KEY REFERENCES wallet (id),
    event bigint NOT NULL
);

-- An event that a wallet with confirmed addresses is notified of. Only one notification of a kind is `about` the same
-- thing.
CREATE TABLE notification (
    wallet_id uuid NOT NULL REFERENCES wallet (id),
    event bigint NOT NULL,
    kind text NOT NULL,
    about uuid,
    event_at timestamptz NOT NULL,
    queued_at timestamptz NOT NULL,
    PRIMARY KEY (wallet_id, event),
    CONSTRAINT notification_is_one_about UNIQUE (wallet_id, kind, about)
);
CREATE INDEX notification_of_time ON notification (queued_at);

-- A notification for one address, or the code that confirms the address (then there is no event).
CREATE TABLE notification_delivery (
    id uuid PRIMARY KEY,
    wallet_id uuid NOT NULL,
    event bigint,
    address_id uuid NOT NULL,          -- which may have been removed since
    channel text NOT NULL,
    state text NOT NULL DEFAULT 'pending' CONSTRAINT notification_delivery_state_known
        CHECK (state IN ('pending', 'sent', 'failed', 'skipped')),
    reason text,                       -- the outcome of the last try, or why there is none
    falls_back_from text,              -- the channel that failed before
    tries integer NOT NULL DEFAULT 0,
    queued_at timestamptz NOT NULL,
    next_at timestamptz NOT NULL,      -- while it is pending: not tried before
    ended_at timestamptz,
    lease uuid,                        -- of the worker that is sending it
    leased_until timestamptz,
    CONSTRAINT notification_delivery_once UNIQUE NULLS NOT DISTINCT (address_id, event),
    CONSTRAINT notification_delivery_of_a_notification FOREIGN KEY (wallet_id, event) REFERENCES notification ON DELETE CASCADE,
    CONSTRAINT notification_delivery_is_leased_for_a_time CHECK ((lease IS NULL) = (leased_until IS NULL)),
    CONSTRAINT notification_delivery_is_leased_while_pending CHECK (lease IS NULL OR state = 'pending'),
    CONSTRAINT notification_delivery_ends_once CHECK ((state = 'pending') = (ended_at IS NULL))
);
CREATE INDEX notification_delivery_due ON notification_delivery (channel, next_at) WHERE state = 'pending';
CREATE INDEX notification_delivery_of_notification ON notification_delivery (wallet_id, event);

-- How far the event log was read for notifications.
CREATE TABLE notification_position (
    number integer PRIMARY KEY CONSTRAINT notification_position_single CHECK (number = 1),
    reached bigint NOT NULL
);
INSERT INTO notification_position (number, reached) VALUES (1, 0);
