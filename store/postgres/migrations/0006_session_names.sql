-- One index finds a session by its Acct-Session-Id, with its NAS or without, and begins
-- with what tells sessions apart.
DROP INDEX sessions_open_by_acct_id;
DROP INDEX sessions_by_acct_id;
CREATE INDEX sessions_by_acct_id ON sessions (acct_session_id, nas_address, nas, tenant, started_at);
