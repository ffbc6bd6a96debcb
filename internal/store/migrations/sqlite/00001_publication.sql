-- +goose Up

-- One row each: the publication's own facts, such as its pause.
CREATE TABLE settings (
    name  TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);

-- Secrets that sign tokens and make Message-IDs. The newest of a purpose signs.
CREATE TABLE keys (
    id         INTEGER NOT NULL PRIMARY KEY,
    purpose    TEXT    NOT NULL,
    secret     BLOB    NOT NULL,
    created_at BIGINT  NOT NULL
);

-- What stands in the operator's way now; a fault that is over has no row.
CREATE TABLE warnings (
    kind     TEXT   NOT NULL PRIMARY KEY,
    text     TEXT   NOT NULL,
    since_at BIGINT NOT NULL
);

-- Every thread ever seen, with the text last seen.
CREATE TABLE threads (
    number        INTEGER NOT NULL PRIMARY KEY,
    id            TEXT    NOT NULL UNIQUE,
    slug          TEXT    NOT NULL UNIQUE,
    guid          TEXT    NOT NULL UNIQUE,
    pinned_id     TEXT    NOT NULL DEFAULT '',
    file          TEXT    NOT NULL DEFAULT '',
    source        TEXT    NOT NULL,
    digest        TEXT    NOT NULL, -- of the source
    prints        TEXT    NOT NULL,
    revision      INTEGER NOT NULL DEFAULT 1,
    first_seen_at BIGINT  NOT NULL,
    changed_at    BIGINT  NOT NULL,
    archived_at   BIGINT,
    withdrawn_at  BIGINT
);

-- The expression in force and since when it counts.
CREATE TABLE schedules (
    name       TEXT   NOT NULL PRIMARY KEY,
    expression TEXT   NOT NULL,
    timezone   TEXT   NOT NULL,
    since_at   BIGINT NOT NULL
);

-- Slots that are over; the key makes sure that each is claimed once.
CREATE TABLE slots (
    key        TEXT   NOT NULL PRIMARY KEY,
    due_at     BIGINT NOT NULL,
    claimed_at BIGINT NOT NULL,
    outcome    TEXT   NOT NULL, -- published, empty, paused, missed
    issue      BIGINT
);
CREATE INDEX slots_due ON slots (due_at);

-- Issues with the snapshot that everyone gets.
CREATE TABLE issues (
    number          INTEGER NOT NULL PRIMARY KEY,
    slot            TEXT    UNIQUE REFERENCES slots (key),
    slug            TEXT    NOT NULL,
    title           TEXT    NOT NULL,
    subject         TEXT    NOT NULL,
    published_at    BIGINT  NOT NULL,
    recipients      BIGINT  NOT NULL DEFAULT 0,
    message         BLOB    NOT NULL, -- literals and slots; empty when nobody gets it by mail
    sender          TEXT    NOT NULL, -- envelope sender
    domain          TEXT    NOT NULL, -- of the Message-IDs
    unsubscribe_url TEXT    NOT NULL, -- a token is appended
    site_at         BIGINT,           -- page and feeds are in place; holds the mail until then
    finished_at     BIGINT            -- nothing is left to send
);

-- A thread goes into at most one issue.
CREATE TABLE issue_threads (
    issue    BIGINT  NOT NULL REFERENCES issues (number),
    position INTEGER NOT NULL,
    thread   TEXT    NOT NULL UNIQUE REFERENCES threads (id),
    source   TEXT    NOT NULL, -- as it went out
    prints   TEXT    NOT NULL,
    PRIMARY KEY (issue, position)
);

-- Portions of an issue's deliveries, the unit of work of a sender.
CREATE TABLE batches (
    id    INTEGER NOT NULL PRIMARY KEY,
    issue BIGINT  NOT NULL REFERENCES issues (number),
    done  BOOLEAN NOT NULL DEFAULT FALSE,
    lease BIGINT  NOT NULL DEFAULT 0,
    node  TEXT    NOT NULL DEFAULT ''
);
CREATE INDEX batches_open ON batches (issue, id) WHERE NOT done;

-- One row a recipient and issue: the only truth about sending.
CREATE TABLE deliveries (
    id         INTEGER NOT NULL PRIMARY KEY,
    issue      BIGINT  NOT NULL REFERENCES issues (number),
    subscriber BIGINT  NOT NULL,
    batch      BIGINT  NOT NULL,
    state      TEXT    NOT NULL DEFAULT 'pending',
    attempts   INTEGER NOT NULL DEFAULT 0, -- that reached the content or were refused
    doubts     INTEGER NOT NULL DEFAULT 0, -- times it was unknown whether the relay took it
    first_at   BIGINT, -- first attempt: the Date of the message
    next_at    BIGINT, -- of a deferred one
    changed_at BIGINT,
    code       INTEGER NOT NULL DEFAULT 0, -- last SMTP answer
    answer     TEXT    NOT NULL DEFAULT '',
    UNIQUE (issue, subscriber)
);
CREATE INDEX deliveries_batch ON deliveries (batch);
CREATE INDEX deliveries_deferred ON deliveries (next_at) WHERE state = 'deferred';
CREATE INDEX deliveries_deferred_issue ON deliveries (issue) WHERE state = 'deferred';
CREATE INDEX deliveries_unsettled ON deliveries (issue) WHERE state IN ('sending', 'in_doubt');

CREATE TABLE subscribers (
    id            INTEGER NOT NULL PRIMARY KEY,
    key           TEXT    NOT NULL UNIQUE, -- the mailbox, whatever the spelling
    email         TEXT    NOT NULL,
    name          TEXT    NOT NULL DEFAULT '',
    status        TEXT    NOT NULL,
    status_reason TEXT    NOT NULL DEFAULT '',
    status_at     BIGINT  NOT NULL,
    tags          TEXT    NOT NULL DEFAULT '[]', -- JSON
    created_at    BIGINT  NOT NULL
);

-- Mailboxes that never get mail, whoever adds them again.
CREATE TABLE suppressions (
    key        TEXT   NOT NULL PRIMARY KEY,
    reason     TEXT   NOT NULL,
    created_at BIGINT NOT NULL
);
