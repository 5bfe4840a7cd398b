-- What many nodes on one store need, and what keeps a session table true.

ALTER TABLE subscribers ADD COLUMN max_sessions bigint NOT NULL DEFAULT 0; -- 0: no limit

ALTER TABLE sessions ADD COLUMN interim_interval bigint NOT NULL DEFAULT 0;     -- seconds; 0: no Interims are expected
ALTER TABLE sessions ADD COLUMN place text COLLATE "C" NOT NULL DEFAULT '';     -- the CPE, as admissions name it
ALTER TABLE accounting_events ADD COLUMN interim_interval bigint NOT NULL DEFAULT 0;

-- None by updated_at, which every Interim changes: stale sessions are looked for
-- among the open ones.
CREATE INDEX sessions_open_by_subscriber ON sessions (subscriber_id) WHERE stopped_at = 0 AND subscriber_id <> '';
CREATE INDEX sessions_by_stop ON sessions (stopped_at) WHERE stopped_at > 0;
CREATE INDEX accounting_events_rest_by_time ON accounting_events_rest (at);

-- Places that an Access-Accept promised and that no Start has taken yet.
CREATE TABLE admissions (
    subscriber_id text COLLATE "C" NOT NULL,
    place         text COLLATE "C" NOT NULL,
    expires_at    bigint NOT NULL,
    PRIMARY KEY (subscriber_id, place)
);

CREATE INDEX admissions_by_expiry ON admissions (expires_at);
