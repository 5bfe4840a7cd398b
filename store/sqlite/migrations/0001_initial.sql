-- Times are microseconds since 1970, UTC; 0 is none. Addresses, prefixes and MACs
-- are text in their usual form; '' is none. Counters of accounting are unsigned 64
-- bit: one of 2^63 or more shows as a negative number.

CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT;

CREATE TABLE tenants (
    name TEXT PRIMARY KEY
) STRICT;

CREATE TABLE nas (
    tenant                        TEXT NOT NULL REFERENCES tenants (name),
    name                          TEXT NOT NULL,
    address                       TEXT NOT NULL UNIQUE, -- a masked prefix
    secret                        BLOB NOT NULL,        -- sealed
    dialect                       TEXT NOT NULL,
    identify                      TEXT NOT NULL,        -- in order, parted by commas
    require_message_authenticator TEXT NOT NULL,
    limit_proxy_state             TEXT NOT NULL,
    learned                       TEXT NOT NULL,
    allow_mschapv1                INTEGER NOT NULL,
    PRIMARY KEY (tenant, name)
) STRICT;

CREATE TABLE subscribers (
    id                     TEXT PRIMARY KEY,
    tenant                 TEXT NOT NULL REFERENCES tenants (name),
    username_key           TEXT NOT NULL, -- the username in its comparable form
    username               TEXT NOT NULL,
    credential_kind        TEXT NOT NULL,
    credential             BLOB NOT NULL, -- sealed; x'' when there is none
    has_profile            INTEGER NOT NULL,
    circuit_id             BLOB NOT NULL,
    remote_id              BLOB NOT NULL,
    mac                    TEXT NOT NULL,
    option82_policy        TEXT NOT NULL,
    service_vlan           INTEGER NOT NULL,
    inner_vlan             INTEGER NOT NULL,
    qinq_enabled           INTEGER NOT NULL,
    static_ipv4            TEXT NOT NULL,
    static_ipv6            TEXT NOT NULL,
    framed_ipv6_prefix     TEXT NOT NULL,
    delegated_ipv6_prefix  TEXT NOT NULL,
    ipv6_assignment_mode   TEXT NOT NULL,
    download_kbps          INTEGER NOT NULL,
    upload_kbps            INTEGER NOT NULL,
    status                 TEXT NOT NULL,
    framed_pool            TEXT NOT NULL,
    framed_ipv6_pool       TEXT NOT NULL,
    delegated_ipv6_pool    TEXT NOT NULL,
    stateful_ipv6_pool     TEXT NOT NULL,
    session_timeout        INTEGER NOT NULL, -- seconds
    acct_interim_interval  INTEGER NOT NULL, -- seconds
    walled_garden_vlan     INTEGER NOT NULL,
    walled_garden_filter   TEXT NOT NULL,
    walled_garden_pool     TEXT NOT NULL,
    revision               INTEGER NOT NULL, -- of the newest change of this row
    deleted_at             INTEGER NOT NULL DEFAULT 0,
    last_validated_at      INTEGER NOT NULL DEFAULT 0,
    last_validation_result TEXT NOT NULL DEFAULT '',
    option82_mismatch_count INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE UNIQUE INDEX subscribers_live ON subscribers (tenant, username_key) WHERE deleted_at = 0;
CREATE INDEX subscribers_by_name ON subscribers (tenant, username_key);
CREATE INDEX subscribers_by_circuit ON subscribers (tenant, circuit_id) WHERE deleted_at = 0 AND circuit_id <> x'';
CREATE INDEX subscribers_by_mac ON subscribers (tenant, mac) WHERE deleted_at = 0 AND mac <> '';

-- Every committed write: the audit trail, and the feed that servers follow.
CREATE TABLE changes (
    revision   INTEGER PRIMARY KEY AUTOINCREMENT,
    at         INTEGER NOT NULL,
    actor      TEXT NOT NULL,
    kind       TEXT NOT NULL,
    tenant     TEXT NOT NULL,
    name       TEXT NOT NULL,
    subject_id TEXT NOT NULL, -- of the subscriber; '' for other kinds
    outcome    TEXT NOT NULL,
    changes    TEXT NOT NULL, -- JSON, a list of field, old, new
    keys       TEXT NOT NULL  -- JSON, a list of base64
) STRICT;

CREATE INDEX changes_by_subject ON changes (subject_id, revision) WHERE subject_id <> '';

CREATE TABLE sessions (
    id                    TEXT PRIMARY KEY,
    tenant                TEXT NOT NULL,
    nas                   TEXT NOT NULL,
    nas_address           TEXT NOT NULL,
    acct_session_id       TEXT NOT NULL,
    started_at            INTEGER NOT NULL,
    stopped_at            INTEGER NOT NULL, -- 0: open
    user_name             TEXT NOT NULL,
    service_vlan          INTEGER NOT NULL,
    subscriber_id         TEXT NOT NULL,
    class                 BLOB NOT NULL,
    updated_at            INTEGER NOT NULL,
    session_time          INTEGER NOT NULL, -- seconds
    input_octets          INTEGER NOT NULL,
    output_octets         INTEGER NOT NULL,
    input_packets         INTEGER NOT NULL,
    output_packets        INTEGER NOT NULL,
    terminate_cause       INTEGER NOT NULL,
    calling_station_id    TEXT NOT NULL,
    nas_port_id           TEXT NOT NULL,
    circuit_id            BLOB NOT NULL,
    remote_id             BLOB NOT NULL,
    framed_ipv4           TEXT NOT NULL,
    framed_ipv6_address   TEXT NOT NULL,
    framed_ipv6_prefix    TEXT NOT NULL,
    delegated_ipv6_prefix TEXT NOT NULL,
    inner_vlan            INTEGER NOT NULL
) STRICT;

CREATE INDEX sessions_by_acct_id ON sessions (tenant, nas, nas_address, acct_session_id, started_at);
CREATE INDEX sessions_by_start ON sessions (started_at);
CREATE INDEX sessions_by_tenant ON sessions (tenant, started_at);
CREATE INDEX sessions_by_user ON sessions (user_name, started_at);
CREATE INDEX sessions_open_by_nas ON sessions (tenant, nas, nas_address, started_at) WHERE stopped_at = 0;
CREATE INDEX sessions_open_by_vlan ON sessions (tenant, service_vlan, started_at) WHERE stopped_at = 0;

-- Accounting as it came, each event once.
CREATE TABLE accounting_events (
    seq                   INTEGER PRIMARY KEY,
    record_key            BLOB NOT NULL UNIQUE, -- equal for an event and its retransmission
    session_id            TEXT NOT NULL,        -- '' with on and off
    tenant                TEXT NOT NULL,
    nas                   TEXT NOT NULL,
    nas_address           TEXT NOT NULL,
    status                TEXT NOT NULL,
    at                    INTEGER NOT NULL,
    received_at           INTEGER NOT NULL,
    acct_session_id       TEXT NOT NULL,
    user_name             TEXT NOT NULL,
    subscriber_id         TEXT NOT NULL,
    class                 BLOB NOT NULL,
    session_time          INTEGER NOT NULL, -- seconds
    input_octets          INTEGER NOT NULL,
    output_octets         INTEGER NOT NULL,
    input_packets         INTEGER NOT NULL,
    output_packets        INTEGER NOT NULL,
    terminate_cause       INTEGER NOT NULL,
    calling_station_id    TEXT NOT NULL,
    nas_port_id           TEXT NOT NULL,
    circuit_id            BLOB NOT NULL,
    remote_id             BLOB NOT NULL,
    framed_ipv4           TEXT NOT NULL,
    framed_ipv6_address   TEXT NOT NULL,
    framed_ipv6_prefix    TEXT NOT NULL,
    delegated_ipv6_prefix TEXT NOT NULL,
    service_vlan          INTEGER NOT NULL,
    inner_vlan            INTEGER NOT NULL
) STRICT;
