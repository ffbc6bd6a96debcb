-- +goose Up
-- River 8

-- Processes that send. Each holds an advisory lock with its number for as long
-- as it lives.
CREATE TABLE nodes (
    id          TEXT COLLATE "C" NOT NULL PRIMARY KEY, -- another one with every start
    number      INTEGER NOT NULL,
    host        TEXT    NOT NULL,
    pid         INTEGER NOT NULL,
    version     TEXT    NOT NULL,
    started_at  BIGINT  NOT NULL,
    connections INTEGER NOT NULL, -- at most
    rate        DOUBLE PRECISION NOT NULL DEFAULT 0, -- messages a second that go out now
    keeper      BOOLEAN NOT NULL DEFAULT FALSE -- has the lock of the publication
);
CREATE INDEX batches_node ON batches (node) WHERE node <> '';
