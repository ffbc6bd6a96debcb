-- +goose Up

-- What the web server has from a certificate authority: the key of its account,
-- certificates with their keys, and answers to challenges, which another node may
-- be asked for.
CREATE TABLE certificates (
    name       TEXT   NOT NULL PRIMARY KEY,
    content    BYTEA  NOT NULL,
    changed_at BIGINT NOT NULL
);
