-- +goose Up

-- The slugs under which threads had a page before. They lead to the thread for
-- ever, so that no other one may take them.
CREATE TABLE former_slugs (
    slug   TEXT NOT NULL PRIMARY KEY,
    thread TEXT NOT NULL REFERENCES threads (id)
);
