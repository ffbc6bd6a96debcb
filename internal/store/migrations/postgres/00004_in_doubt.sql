-- +goose Up

-- Every message entered this index and left it again. What is being sent is
-- found by its open batch instead.
DROP INDEX deliveries_unsettled;
CREATE INDEX deliveries_in_doubt ON deliveries (issue) WHERE state = 'in_doubt';
