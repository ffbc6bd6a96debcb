-- +goose Up

-- When the hook after an issue that was finished was run, and its report sent to
-- the author; null before.
ALTER TABLE issues ADD COLUMN hooked_at BIGINT;
ALTER TABLE issues ADD COLUMN reported_at BIGINT;
UPDATE issues SET hooked_at = finished_at, reported_at = finished_at WHERE finished_at IS NOT NULL;

-- Slots of which the author was told before, and what they answered. A slot has
-- one answer.
CREATE TABLE reviews (
    due_at      BIGINT NOT NULL PRIMARY KEY,
    slot        TEXT   NOT NULL,
    title       TEXT   NOT NULL,
    threads     TEXT   NOT NULL, -- JSON: ids, as the author was told last
    mailed_at   BIGINT NOT NULL,
    answer      TEXT   NOT NULL DEFAULT '', -- hold, skip or send
    answered_at BIGINT,
    done_at     BIGINT -- what was answered
);
