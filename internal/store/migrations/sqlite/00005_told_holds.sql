-- +goose Up

-- The since_at of the hold of which the operator was told: a later one for the
-- same domain is told again.
ALTER TABLE holds ADD COLUMN told_since BIGINT;
