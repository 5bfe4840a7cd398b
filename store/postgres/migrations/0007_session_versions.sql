-- A session that a server remembers is written only if nobody else has written it.
ALTER TABLE sessions ADD COLUMN version bigint NOT NULL DEFAULT 0;

-- Old sessions are found by their start: an index of ends took an entry for each Stop.
DROP INDEX sessions_by_stop;

-- A row and its next version fit, also where all sessions of a page are written in one
-- transaction: else each write goes into every index.
ALTER TABLE sessions SET (fillfactor = 50);
