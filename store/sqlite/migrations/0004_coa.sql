-- What changes of live sessions need.

ALTER TABLE tenants ADD COLUMN push_changes INTEGER NOT NULL DEFAULT 0;

ALTER TABLE nas ADD COLUMN coa_address TEXT NOT NULL DEFAULT '';    -- '': the one the session's accounting tells
ALTER TABLE nas ADD COLUMN coa_port    INTEGER NOT NULL DEFAULT 0;  -- 0: the dialect's
ALTER TABLE nas ADD COLUMN coa_secret  BLOB NOT NULL DEFAULT x'';   -- sealed; x'': that of the NAS
ALTER TABLE nas ADD COLUMN coa_window  INTEGER NOT NULL DEFAULT 0;  -- 0: the default

CREATE INDEX sessions_open_by_acct_id ON sessions (acct_session_id) WHERE stopped_at = 0;

-- Changes of many sessions, so that one that stopped can go on.
CREATE TABLE change_journals (
    key      TEXT PRIMARY KEY,
    what     TEXT NOT NULL, -- that the key was first used for
    begun_at INTEGER NOT NULL
) STRICT;

CREATE INDEX change_journals_by_begin ON change_journals (begun_at);

CREATE TABLE change_records (
    key          TEXT NOT NULL REFERENCES change_journals (key),
    session_id   TEXT NOT NULL,
    result       TEXT NOT NULL,
    cause        INTEGER NOT NULL,
    disconnected INTEGER NOT NULL,
    at           INTEGER NOT NULL,
    PRIMARY KEY (key, session_id)
) STRICT, WITHOUT ROWID;
