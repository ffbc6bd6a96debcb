-- +goose Up

-- What the search knows of the threads that are out. The columns of words hold
-- each word, cut and folded, between two spaces; the long ones stand last, so
-- that the others are read without them.
CREATE TABLE thread_texts (
    number      INTEGER NOT NULL PRIMARY KEY REFERENCES threads (number),
    digest      TEXT    NOT NULL, -- of the source it was made of
    version     INTEGER NOT NULL, -- of the making
    shown       BOOLEAN NOT NULL, -- goes out by the web
    title       TEXT    NOT NULL,
    lang        TEXT    NOT NULL,
    posts       INTEGER NOT NULL,
    minutes     INTEGER NOT NULL,
    written_at  BIGINT,
    title_words TEXT NOT NULL,
    tag_words   TEXT NOT NULL,
    text        TEXT    NOT NULL,
    text_words  TEXT NOT NULL
);

-- The words come cut and folded, so that a space is all that divides them: for
-- this tokenizer whatever is not ASCII belongs to a word. No column size and no
-- position is kept, since neither rank nor phrase is asked of it.
CREATE VIRTUAL TABLE thread_words USING fts5 (title_words, tag_words, text_words,
    content = 'thread_texts', content_rowid = 'number', tokenize = 'ascii', detail = none, columnsize = 0);

-- +goose StatementBegin
CREATE TRIGGER thread_texts_insert AFTER INSERT ON thread_texts BEGIN
    INSERT INTO thread_words (rowid, title_words, tag_words, text_words)
    VALUES (new.number, new.title_words, new.tag_words, new.text_words);
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER thread_texts_delete AFTER DELETE ON thread_texts BEGIN
    INSERT INTO thread_words (thread_words, rowid, title_words, tag_words, text_words)
    VALUES ('delete', old.number, old.title_words, old.tag_words, old.text_words);
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER thread_texts_update AFTER UPDATE ON thread_texts BEGIN
    INSERT INTO thread_words (thread_words, rowid, title_words, tag_words, text_words)
    VALUES ('delete', old.number, old.title_words, old.tag_words, old.text_words);
    INSERT INTO thread_words (rowid, title_words, tag_words, text_words)
    VALUES (new.number, new.title_words, new.tag_words, new.text_words);
END;
-- +goose StatementEnd
