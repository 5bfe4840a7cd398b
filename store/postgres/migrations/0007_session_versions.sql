-- A session that a server remembers is written only if nobody else has written it.
ALTER TABLE sessions ADD COLUMN version bigint NOT NULL DEFAULT 0;
