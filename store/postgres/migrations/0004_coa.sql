-- What changes of live sessions need.

ALTER TABLE tenants ADD COLUMN push_changes boolean NOT NULL DEFAULT false;

ALTER TABLE nas ADD COLUMN coa_address text COLLATE "C" NOT NULL DEFAULT ''; -- '': the one the session's accounting tells
ALTER TABLE nas ADD COLUMN coa_port    bigint NOT NULL DEFAULT 0;            -- 0: the dialect's
ALTER TABLE nas ADD COLUMN coa_secret  bytea NOT NULL DEFAULT '';            -- sealed; '': that of the NAS
ALTER TABLE nas ADD COLUMN coa_window  bigint NOT NULL DEFAULT 0;            -- 0: the default

CREATE INDEX sessions_open_by_acct_id ON sessions (acct_session_id) WHERE stopped_at = 0;

-- Changes of many sessions, so that one that stopped can go on.
CREATE TABLE change_journals (
    key      text COLLATE "C" PRIMARY KEY,
    what     text COLLATE "C" NOT NULL, -- that the key was first used for
    begun_at bigint NOT NULL
);

CREATE INDEX change_journals_by_begin ON change_journals (begun_at);

CREATE TABLE change_records (
    key          text COLLATE "C" NOT NULL REFERENCES change_journals (key),
    session_id   text COLLATE "C" NOT NULL,
    result       text COLLATE "C" NOT NULL,
    cause        bigint NOT NULL,
    disconnected boolean NOT NULL,
    at           bigint NOT NULL,
    PRIMARY KEY (key, session_id)
);
