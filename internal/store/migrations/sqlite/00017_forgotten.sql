-- +goose Up

-- The number of a subscriber who was erased is never given again: it stands in
-- the links of the mails that they got. Only a table that is made with it keeps
-- AUTOINCREMENT.
CREATE TABLE subscribers_numbered (
    id            INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    key           TEXT    NOT NULL UNIQUE, -- the mailbox, whatever the spelling
    email         TEXT    NOT NULL,
    name          TEXT    NOT NULL DEFAULT '',
    status        TEXT    NOT NULL,
    status_reason TEXT    NOT NULL DEFAULT '',
    status_at     BIGINT  NOT NULL,
    tags          TEXT    NOT NULL DEFAULT '[]', -- JSON
    created_at    BIGINT  NOT NULL,
    bounces       INTEGER NOT NULL DEFAULT 0,
    frequency     TEXT    NOT NULL DEFAULT 'each', -- each issue, or monthly
    wants         TEXT    NOT NULL DEFAULT '[]', -- JSON: tags of the threads that they want; none: all
    paused_until  BIGINT, -- no issue before then
    import        BIGINT -- the file that brought them
);
INSERT INTO subscribers_numbered (id, key, email, name, status, status_reason, status_at, tags, created_at, bounces, frequency, wants, paused_until, import)
    SELECT id, key, email, name, status, status_reason, status_at, tags, created_at, bounces, frequency, wants, paused_until, import FROM subscribers;
DROP TABLE subscribers;
ALTER TABLE subscribers_numbered RENAME TO subscribers;
