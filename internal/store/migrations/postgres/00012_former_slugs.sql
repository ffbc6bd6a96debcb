-- +goose Up

-- The slugs under which threads had a page before. They lead to the thread for
-- ever, so that no other one may take them.
CREATE TABLE former_slugs (
    slug   TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    thread TEXT COLLATE "C" NOT NULL REFERENCES threads (id)
);
