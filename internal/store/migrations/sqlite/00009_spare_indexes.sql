-- +goose Up

-- A message updates its delivery twice, and the conditions of indexes are looked
-- at each time: none names the state.
DROP INDEX deliveries_deferred;
DROP INDEX deliveries_deferred_issue;
DROP INDEX deliveries_in_doubt;
CREATE INDEX deliveries_next ON deliveries (next_at) WHERE next_at IS NOT NULL; -- the deferred ones
CREATE INDEX deliveries_next_issue ON deliveries (issue) WHERE next_at IS NOT NULL;
CREATE INDEX deliveries_doubts ON deliveries (issue) WHERE doubts > 0; -- those in doubt, and a few that were
