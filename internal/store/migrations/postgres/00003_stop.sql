-- +goose Up

-- Issues whose mail is held: for a while, until somebody lets it go, or for
-- good. A table of its own, since every mark of a delivery asks it, and most of
-- the time it is empty.
CREATE TABLE issue_holds (
    issue     BIGINT  NOT NULL PRIMARY KEY REFERENCES issues (number),
    until_at  BIGINT,                         -- the end of the grace; NULL: it does not end by itself
    withdrawn BOOLEAN NOT NULL DEFAULT FALSE, -- never to be let go
    held_at   BIGINT  NOT NULL
);

-- The author's copies of issues that are held at first.
CREATE TABLE author_copies (
    issue   BIGINT NOT NULL PRIMARY KEY REFERENCES issues (number),
    email   TEXT   NOT NULL,
    sent_at BIGINT -- when it was handed to the relay
);
CREATE INDEX author_copies_due ON author_copies (issue) WHERE sent_at IS NULL;

-- When the operator was told of a warning, and that a slot ended well.
ALTER TABLE warnings ADD COLUMN told_at BIGINT;
ALTER TABLE slots ADD COLUMN told_at BIGINT;
UPDATE slots SET told_at = claimed_at;
CREATE INDEX slots_untold ON slots (due_at) WHERE told_at IS NULL AND outcome = 'published';
