-- +goose Up

-- The digest of the source as it went out; empty where that is not told, and the
-- source itself tells.
ALTER TABLE issue_threads ADD COLUMN digest TEXT NOT NULL DEFAULT '';

-- When the text of a thread was last seen changed: its title or its posts, and
-- not only its tags. NULL where an older version wrote the row: changed_at tells.
ALTER TABLE threads ADD COLUMN reworded_at BIGINT;
UPDATE threads SET reworded_at = changed_at;
