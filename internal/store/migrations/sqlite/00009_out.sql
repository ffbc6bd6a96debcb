-- +goose Up

-- The order in which threads went out: the archive feeds are cut by it, and
-- what stands in one of them stays there. It is not that of dates, since a
-- thread may be archived under an old one.
ALTER TABLE threads ADD COLUMN out_number BIGINT;
UPDATE threads SET out_number = o.number FROM (
    SELECT t.id, row_number() OVER (ORDER BY coalesce(i.published_at, t.archived_at), coalesce(i.number, 0), coalesce(it.position, 0), t.number) AS number
    FROM threads t LEFT JOIN issue_threads it ON it.thread = t.id LEFT JOIN issues i ON i.number = it.issue
    WHERE t.archived_at IS NOT NULL OR i.number IS NOT NULL
) o WHERE o.id = threads.id;
