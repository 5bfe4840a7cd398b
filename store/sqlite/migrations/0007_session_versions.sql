-- A session that a server remembers is written only if nobody else has written it.
ALTER TABLE sessions ADD COLUMN version INTEGER NOT NULL DEFAULT 0;

-- Old sessions are found by their start: an index of ends took an entry for each Stop.
DROP INDEX sessions_by_stop;
