-- +goose Up

-- When somebody asked for another try: what is given up counts from then. The
-- first attempt stays, since it is the Date of the message.
ALTER TABLE deliveries ADD COLUMN retried_at BIGINT;

-- What its refusal was counted as against the subscriber, to be taken back with it.
ALTER TABLE deliveries ADD COLUMN bounce TEXT;

-- Why an issue cannot be sent at all; empty where somebody stopped it.
ALTER TABLE issue_holds ADD COLUMN fault TEXT NOT NULL DEFAULT '';

-- When the operator was told of a hold.
ALTER TABLE issue_holds ADD COLUMN told_at BIGINT;
ALTER TABLE holds ADD COLUMN told_at BIGINT;
