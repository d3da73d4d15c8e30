-- How often somebody has done what is limited. Nothing is lost with it but the count of a window, so it is not logged.

CREATE UNLOGGED TABLE tally (
    kind text NOT NULL,
    who text NOT NULL,
    count bigint NOT NULL,
    ends_at timestamptz NOT NULL,      -- of the window
    PRIMARY KEY (kind, who)
);
CREATE INDEX tally_by_end ON tally (ends_at);
