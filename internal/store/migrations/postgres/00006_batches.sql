-- +goose Up

-- So that an issue is counted by its batches, not by its deliveries: how many
-- there are in a batch, and what became of them when it was last done. One
-- whose lease is 0 was not begun, and all of it is pending.
ALTER TABLE batches ADD COLUMN size INTEGER NOT NULL DEFAULT 0;
ALTER TABLE batches ADD COLUMN sent INTEGER NOT NULL DEFAULT 0;
ALTER TABLE batches ADD COLUMN deferred INTEGER NOT NULL DEFAULT 0;
ALTER TABLE batches ADD COLUMN failed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE batches ADD COLUMN canceled INTEGER NOT NULL DEFAULT 0;
ALTER TABLE batches ADD COLUMN in_doubt INTEGER NOT NULL DEFAULT 0;
UPDATE batches SET lease = 1, (size, sent, deferred, failed, canceled, in_doubt) = (SELECT count(*),
    count(*) FILTER (WHERE state = 'sent'), count(*) FILTER (WHERE state = 'deferred'), count(*) FILTER (WHERE state = 'failed'),
    count(*) FILTER (WHERE state = 'canceled'), count(*) FILTER (WHERE state = 'in_doubt')
    FROM deliveries d WHERE d.batch = batches.id);
CREATE INDEX batches_issue ON batches (issue);
