-- +goose Up

-- Here no number is given twice anyway; on SQLite this makes it so.
SELECT 1;
