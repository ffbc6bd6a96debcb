-- +goose Up

-- So that the database alone tells what there is to publish: whether a file
-- that can be read holds a thread, and the pictures of threads.
ALTER TABLE threads ADD COLUMN present BOOLEAN NOT NULL DEFAULT FALSE;

-- Pictures by their content. What no thread uses is removed after a while.
CREATE TABLE assets (
    digest     TEXT COLLATE "C" NOT NULL PRIMARY KEY, -- SHA-256, hexadecimal
    media_type TEXT    NOT NULL,
    size       BIGINT  NOT NULL,
    whole      BOOLEAN NOT NULL DEFAULT FALSE, -- all its parts are there
    wanted_at  BIGINT  NOT NULL -- when somebody last wanted it
);
CREATE TABLE asset_parts (
    digest TEXT COLLATE "C" NOT NULL REFERENCES assets (digest),
    part   INTEGER NOT NULL,
    bytes  BYTEA   NOT NULL,
    PRIMARY KEY (digest, part)
);
CREATE TABLE thread_assets (
    thread      TEXT COLLATE "C" NOT NULL REFERENCES threads (id),
    name        TEXT COLLATE "C" NOT NULL,
    digest      TEXT COLLATE "C" NOT NULL REFERENCES assets (digest),
    modified_at BIGINT, -- of the file, to tell without reading it whether it changed
    PRIMARY KEY (thread, name)
);
CREATE INDEX thread_assets_digest ON thread_assets (digest);

-- Rises with each change of what the site shows.
CREATE TABLE revisions (
    name   TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    number BIGINT NOT NULL
);

-- How far each output folder is.
CREATE TABLE sites (
    place      TEXT COLLATE "C" NOT NULL PRIMARY KEY, -- empty for the only one
    revision   BIGINT NOT NULL,
    tried      BIGINT NOT NULL,
    failure    TEXT   NOT NULL,
    changed_at BIGINT NOT NULL
);
DELETE FROM settings WHERE name = 'rebuild';
