-- +goose Up

-- What a subscriber asked for.
ALTER TABLE subscribers ADD COLUMN frequency TEXT NOT NULL DEFAULT 'each'; -- each issue, or monthly
ALTER TABLE subscribers ADD COLUMN wants TEXT NOT NULL DEFAULT '[]'; -- JSON: tags of the threads that they want; none: all
ALTER TABLE subscribers ADD COLUMN paused_until BIGINT; -- no issue before then
ALTER TABLE subscribers ADD COLUMN import BIGINT; -- the file that brought them

-- Files of subscribers, and what those in them agreed to.
CREATE TABLE imports (
    id      INTEGER NOT NULL PRIMARY KEY,
    at      BIGINT NOT NULL,
    file    TEXT   NOT NULL, -- its name
    consent TEXT   NOT NULL  -- as the operator put it
);

-- What became of a subscription: each step of it, and the record of a consent.
CREATE TABLE subscriber_events (
    id         INTEGER NOT NULL PRIMARY KEY,
    subscriber BIGINT NOT NULL,
    at         BIGINT NOT NULL,
    kind       TEXT   NOT NULL, -- asked, confirmed, unsubscribed …
    issue      BIGINT, -- whose mail led to it
    form       TEXT   NOT NULL DEFAULT '', -- the page that it was done on
    network    TEXT   NOT NULL DEFAULT '', -- keyed hash of the address of the request
    text       TEXT   NOT NULL DEFAULT ''  -- what was agreed to, or the reason given
);
CREATE INDEX subscriber_events_subscriber ON subscriber_events (subscriber, id);

-- Mails to one person that are no issue: to confirm, to welcome. Each leaves
-- once; one whose next_at is NULL is over.
CREATE TABLE letters (
    id         INTEGER NOT NULL PRIMARY KEY,
    subscriber BIGINT  NOT NULL,
    kind       TEXT    NOT NULL, -- confirm, remind, known, welcome, move …
    email      TEXT    NOT NULL DEFAULT '', -- where it goes, if not to the subscriber's address
    created_at BIGINT  NOT NULL,
    next_at    BIGINT,
    attempts   INTEGER NOT NULL DEFAULT 0,
    sent_at    BIGINT,
    answer     TEXT    NOT NULL DEFAULT '' -- of the relay that refused it
);
CREATE INDEX letters_due ON letters (next_at) WHERE next_at IS NOT NULL;
CREATE INDEX letters_subscriber ON letters (subscriber, id);

-- What other servers told about mail that had been sent. One told twice counts
-- once.
CREATE TABLE reports (
    id         INTEGER NOT NULL PRIMARY KEY,
    digest     TEXT   NOT NULL UNIQUE, -- of the report
    at         BIGINT NOT NULL,
    subscriber BIGINT NOT NULL,
    issue      BIGINT, -- NULL where the report does not tell
    kind       TEXT   NOT NULL, -- bounce, complaint, delay
    class      TEXT   NOT NULL, -- of a bounce: dead, full …
    source     TEXT   NOT NULL, -- smtp, maildir, imap, pipe, ses …
    status     TEXT   NOT NULL, -- RFC 3463, such as 5.1.1
    text       TEXT   NOT NULL  -- the words of the server
);
CREATE INDEX reports_issue ON reports (issue, kind);
CREATE INDEX reports_subscriber ON reports (subscriber, id);

-- Whom an issue is for, and why others on the list do not get it.
ALTER TABLE issues ADD COLUMN segment TEXT NOT NULL DEFAULT ''; -- tags of subscribers; empty: all
ALTER TABLE issues ADD COLUMN left_out TEXT NOT NULL DEFAULT '{}'; -- JSON: how many by reason
-- A digest of a month, for those who want one: it repeats threads of issues.
ALTER TABLE issues ADD COLUMN month TEXT NOT NULL DEFAULT ''; -- 2026-11; empty for an issue proper
ALTER TABLE issues ADD COLUMN folded_at BIGINT; -- since when its deliveries are counts only
