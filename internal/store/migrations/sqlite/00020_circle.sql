-- +goose Up

-- The tags of an issue's threads, by which those get it who want only some; empty
-- where nobody noted them.
ALTER TABLE issues ADD COLUMN topics TEXT NOT NULL DEFAULT '';
-- One digest a month.
CREATE UNIQUE INDEX issues_month ON issues (month) WHERE month <> '';
-- Those few who do not want simply everything.
CREATE INDEX subscribers_choosy ON subscribers (id) WHERE frequency <> 'each' OR wants <> '[]' OR paused_until IS NOT NULL;
