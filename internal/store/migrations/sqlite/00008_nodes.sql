-- +goose Up

-- Processes that send. It is empty here, where one process sends and a lock
-- beside the file tells which.
CREATE TABLE nodes (
    id          TEXT    NOT NULL PRIMARY KEY,
    number      INTEGER NOT NULL,
    host        TEXT    NOT NULL,
    pid         INTEGER NOT NULL,
    version     TEXT    NOT NULL,
    started_at  BIGINT  NOT NULL,
    connections INTEGER NOT NULL,
    rate        REAL    NOT NULL DEFAULT 0,
    keeper      BOOLEAN NOT NULL DEFAULT FALSE
);
CREATE INDEX batches_node ON batches (node) WHERE node <> '';
