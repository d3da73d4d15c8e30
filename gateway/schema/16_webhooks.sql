-- Webhooks: the endpoints that a wallet's events are sent to, and the state of each delivery.

-- An endpoint. `reached` is its cursor into the event log: events up to this number are deliveries, or are not for it.
CREATE TABLE webhook_endpoint (
    id uuid PRIMARY KEY,
    wallet_id uuid NOT NULL REFERENCES wallet (id),
    url text NOT NULL CONSTRAINT webhook_endpoint_url_length CHECK (length(url) BETWEEN 1 AND 2000),
    types text[] NOT NULL CONSTRAINT webhook_endpoint_has_types CHECK (cardinality(types) BETWEEN 1 AND 100),
    description text NOT NULL CONSTRAINT webhook_endpoint_description_length CHECK (length(description) <= 200),
    disabled_by text CONSTRAINT webhook_endpoint_disabled_by_known CHECK (disabled_by IN ('owner', 'gone', 'failing')),
    created_at timestamptz NOT NULL,
    deleted_at timestamptz,            -- its deliveries are deleted in batches, and then the row
    reached bigint NOT NULL,
    has_news boolean NOT NULL DEFAULT true,    -- there may be events after `reached`
    failures integer NOT NULL DEFAULT 0 CONSTRAINT webhook_endpoint_counts_failures CHECK (failures >= 0),
    failing_since timestamptz,         -- none of its deliveries succeeded since
    resumes_at timestamptz,            -- nothing is sent to it before this time
    served_at timestamptz NOT NULL     -- when deliveries of it were last claimed
);
CREATE TRIGGER wallet_is_open BEFORE INSERT ON webhook_endpoint FOR EACH ROW EXECUTE FUNCTION wallet_is_open();
CREATE INDEX webhook_endpoint_of_wallet ON webhook_endpoint (wallet_id) WHERE deleted_at IS NULL;
CREATE INDEX webhook_endpoint_with_news ON webhook_endpoint (served_at)
    WHERE has_news AND disabled_by IS NULL AND deleted_at IS NULL;
CREATE INDEX webhook_endpoint_failing ON webhook_endpoint (id)
    WHERE deleted_at IS NULL AND (failing_since IS NOT NULL OR disabled_by IN ('gone', 'failing'));
CREATE INDEX webhook_endpoint_deleted ON webhook_endpoint (id) WHERE deleted_at IS NOT NULL;

-- The secrets that deliveries are signed with, encrypted under a master key as a wallet's key is.
CREATE TABLE webhook_secret (
    id uuid PRIMARY KEY,
    endpoint_id uuid NOT NULL REFERENCES webhook_endpoint (id),
    ciphertext bytea NOT NULL,
    master integer NOT NULL,           -- the number of its master key
    made_at timestamptz NOT NULL,
    expires_at timestamptz             -- NULL: it is the newest of its endpoint
);
CREATE UNIQUE INDEX webhook_secret_newest ON webhook_secret (endpoint_id) WHERE expires_at IS NULL;
CREATE INDEX webhook_secret_of_endpoint ON webhook_secret (endpoint_id);
CREATE INDEX webhook_secret_of_master ON webhook_secret (master);
CREATE TRIGGER master_key_is_active BEFORE INSERT OR UPDATE ON webhook_secret
    FOR EACH ROW EXECUTE FUNCTION master_key_is_active();

-- An event for an endpoint. While it is pending, later events of the same object wait for it.
CREATE TABLE webhook_delivery (
    endpoint_id uuid NOT NULL REFERENCES webhook_endpoint (id),
    event bigint NOT NULL,
    kind text NOT NULL,
    object uuid NOT NULL,
    event_at timestamptz NOT NULL,
    state text NOT NULL DEFAULT 'pending'
        CONSTRAINT webhook_delivery_state_known CHECK (state IN ('pending', 'delivered', 'failed')),
    queued_at timestamptz NOT NULL,
    tries integer NOT NULL DEFAULT 0,  -- since it was queued
    next_at timestamptz NOT NULL,      -- while it is pending: not tried before
    lease uuid,                        -- of the worker that is sending it
    leased_until timestamptz,
    PRIMARY KEY (endpoint_id, event),
    CONSTRAINT webhook_delivery_is_leased_for_a_time CHECK ((lease IS NULL) = (leased_until IS NULL)),
    CONSTRAINT webhook_delivery_is_leased_while_pending CHECK (lease IS NULL OR state = 'pending')
);
CREATE INDEX webhook_delivery_pending ON webhook_delivery (endpoint_id, next_at, event) WHERE state = 'pending';
CREATE INDEX webhook_delivery_under_way ON webhook_delivery (endpoint_id, leased_until) WHERE lease IS NOT NULL;
CREATE INDEX webhook_delivery_in_order ON webhook_delivery (endpoint_id, object, event) WHERE state = 'pending';
CREATE INDEX webhook_delivery_ended ON webhook_delivery (queued_at) WHERE state <> 'pending';

-- Each try of a delivery, and its outcome.
CREATE TABLE webhook_attempt (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    endpoint_id uuid NOT NULL,
    event bigint NOT NULL,
    at timestamptz NOT NULL,
    milliseconds integer NOT NULL CONSTRAINT webhook_attempt_takes_time CHECK (milliseconds >= 0),
    outcome text NOT NULL,
    status integer,                    -- the HTTP status, if there was an answer
    CONSTRAINT webhook_attempt_of_a_delivery FOREIGN KEY (endpoint_id, event) REFERENCES webhook_delivery ON DELETE CASCADE
);
CREATE INDEX webhook_attempt_of_delivery ON webhook_attempt (endpoint_id, event, id);

-- How far the event log was read for wallets with endpoints.
CREATE TABLE webhook_position (
    number integer PRIMARY KEY CONSTRAINT webhook_position_single CHECK (number = 1),
    reached bigint NOT NULL
);
INSERT INTO webhook_position (number, reached) VALUES (1, 0);
