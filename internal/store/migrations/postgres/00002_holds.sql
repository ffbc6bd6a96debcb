-- +goose Up

-- Mail that waits because a server refused us, and when it is tried again.
CREATE TABLE holds (
    domain   TEXT COLLATE "C" NOT NULL PRIMARY KEY, -- of the recipients; empty for the relay as a whole
    kind     TEXT    NOT NULL, -- policy, quota, refusals
    reason   TEXT    NOT NULL, -- the server's words
    since_at BIGINT  NOT NULL,
    probe_at BIGINT  NOT NULL,
    step     INTEGER NOT NULL DEFAULT 0, -- probes that failed
    undo     TEXT    NOT NULL DEFAULT '[]', -- JSON: failed deliveries that are to go back
    lifted   BOOLEAN NOT NULL DEFAULT FALSE -- over; what waits for it is being woken
);

ALTER TABLE deliveries ADD COLUMN hold TEXT COLLATE "C"; -- the domain whose hold a deferred one waits for
CREATE INDEX deliveries_held ON deliveries (hold) WHERE hold IS NOT NULL;

-- Refusals because the mailbox was full or disabled.
ALTER TABLE subscribers ADD COLUMN bounces INTEGER NOT NULL DEFAULT 0;
