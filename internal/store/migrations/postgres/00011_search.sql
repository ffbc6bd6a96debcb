-- +goose Up

-- What the search knows of the threads that are out. The columns of words hold
-- each word, cut and folded, between two spaces; the long ones stand last, so
-- that the others are read without them.
CREATE TABLE thread_texts (
    number      BIGINT  NOT NULL PRIMARY KEY REFERENCES threads (number),
    digest      TEXT    NOT NULL, -- of the source it was made of
    version     INTEGER NOT NULL, -- of the making
    shown       BOOLEAN NOT NULL, -- goes out by the web
    title       TEXT    NOT NULL,
    lang        TEXT    NOT NULL,
    posts       INTEGER NOT NULL,
    minutes     INTEGER NOT NULL,
    written_at  BIGINT,
    title_words TEXT COLLATE "C" NOT NULL,
    tag_words   TEXT COLLATE "C" NOT NULL,
    text        TEXT    NOT NULL,
    text_words  TEXT COLLATE "C" NOT NULL
);

-- The words come cut and folded, so that no parser or dictionary is asked, and a
-- space is all that divides them.
CREATE INDEX thread_texts_words ON thread_texts USING gin
    (array_to_tsvector(array_remove(string_to_array(title_words || tag_words || text_words, ' '), '')));
