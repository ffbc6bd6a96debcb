-- +goose Up

-- A message updates its delivery twice. PostgreSQL spares the indexes where no
-- column changes that an index names, in its condition too, and where the page
-- has room (heap-only tuples): so no condition names the state.
DROP INDEX deliveries_deferred;
DROP INDEX deliveries_deferred_issue;
DROP INDEX deliveries_in_doubt;
CREATE INDEX deliveries_next ON deliveries (next_at) WHERE next_at IS NOT NULL; -- the deferred ones
CREATE INDEX deliveries_next_issue ON deliveries (issue) WHERE next_at IS NOT NULL;
CREATE INDEX deliveries_doubts ON deliveries (issue) WHERE doubts > 0; -- those in doubt, and a few that were
ALTER TABLE deliveries SET (fillfactor = 80);
