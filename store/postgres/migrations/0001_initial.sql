-- Times are microseconds since 1970, UTC, as in SQLite; 0 is none. So both engines
-- hold and compare the same values, and no session's time zone has a say.
-- Addresses, prefixes and MACs are text in their usual form; '' is none. Text is
-- compared by octets (COLLATE "C"), whatever the collation of the database, since
-- a changed collation of the system must not break an index; what a text can't
-- hold (NUL, octets that are no UTF-8) stands as \x and hex digits. Counters of
-- accounting are unsigned 64 bit: one of 2^63 or more shows as a negative number.

CREATE TABLE meta (
    name  text COLLATE "C" PRIMARY KEY,
    value bytea NOT NULL
);

CREATE TABLE tenants (
    name text COLLATE "C" PRIMARY KEY
);

CREATE TABLE nas (
    tenant                        text COLLATE "C" NOT NULL REFERENCES tenants (name),
    name                          text COLLATE "C" NOT NULL,
    address                       text COLLATE "C" NOT NULL UNIQUE, -- a masked prefix
    secret                        bytea NOT NULL, -- sealed
    dialect                       text COLLATE "C" NOT NULL,
    identify                      text COLLATE "C" NOT NULL, -- in order, parted by commas
    require_message_authenticator text COLLATE "C" NOT NULL,
    limit_proxy_state             text COLLATE "C" NOT NULL,
    learned                       text COLLATE "C" NOT NULL,
    allow_mschapv1                boolean NOT NULL,
    PRIMARY KEY (tenant, name)
);

CREATE TABLE subscribers (
    id                      text COLLATE "C" PRIMARY KEY,
    tenant                  text COLLATE "C" NOT NULL, -- one of tenants: Update sees to it, a foreign key would double the time of an import
    username_key            text COLLATE "C" NOT NULL, -- the username in its comparable form
    username                text COLLATE "C" NOT NULL,
    credential_kind         text COLLATE "C" NOT NULL,
    credential              bytea NOT NULL, -- sealed; '' when there is none
    has_profile             boolean NOT NULL,
    circuit_id              bytea NOT NULL,
    remote_id               bytea NOT NULL,
    mac                     text COLLATE "C" NOT NULL,
    option82_policy         text COLLATE "C" NOT NULL,
    service_vlan            bigint NOT NULL,
    inner_vlan              bigint NOT NULL,
    qinq_enabled            boolean NOT NULL,
    static_ipv4             text COLLATE "C" NOT NULL,
    static_ipv6             text COLLATE "C" NOT NULL,
    framed_ipv6_prefix      text COLLATE "C" NOT NULL,
    delegated_ipv6_prefix   text COLLATE "C" NOT NULL,
    ipv6_assignment_mode    text COLLATE "C" NOT NULL,
    download_kbps           bigint NOT NULL,
    upload_kbps             bigint NOT NULL,
    status                  text COLLATE "C" NOT NULL,
    framed_pool             text COLLATE "C" NOT NULL,
    framed_ipv6_pool        text COLLATE "C" NOT NULL,
    delegated_ipv6_pool     text COLLATE "C" NOT NULL,
    stateful_ipv6_pool      text COLLATE "C" NOT NULL,
    session_timeout         bigint NOT NULL, -- seconds
    acct_interim_interval   bigint NOT NULL, -- seconds
    walled_garden_vlan      bigint NOT NULL,
    walled_garden_filter    text COLLATE "C" NOT NULL,
    walled_garden_pool      text COLLATE "C" NOT NULL,
    revision                bigint NOT NULL, -- of the newest change of this row
    deleted_at              bigint NOT NULL DEFAULT 0,
    last_validated_at       bigint NOT NULL DEFAULT 0,
    last_validation_result  text COLLATE "C" NOT NULL DEFAULT '',
    option82_mismatch_count bigint NOT NULL DEFAULT 0
);

CREATE UNIQUE INDEX subscribers_live ON subscribers (tenant, username_key) WHERE deleted_at = 0;
CREATE INDEX subscribers_by_name ON subscribers (tenant, username_key);
CREATE INDEX subscribers_by_circuit ON subscribers (tenant, circuit_id) WHERE deleted_at = 0 AND circuit_id <> '';
CREATE INDEX subscribers_by_mac ON subscribers (tenant, mac) WHERE deleted_at = 0 AND mac <> '';

-- Every committed write: the audit trail, and the feed that servers follow.
CREATE TABLE changes (
    revision   bigint PRIMARY KEY, -- in order of commit, without gaps
    at         bigint NOT NULL,
    actor      text COLLATE "C" NOT NULL,
    kind       text COLLATE "C" NOT NULL,
    tenant     text COLLATE "C" NOT NULL,
    name       text COLLATE "C" NOT NULL,
    subject_id text COLLATE "C" NOT NULL, -- of the subscriber; '' for other kinds
    outcome    text COLLATE "C" NOT NULL,
    changes    text COLLATE "C" NOT NULL, -- JSON, a list of field, old, new
    keys       text COLLATE "C" NOT NULL -- JSON, a list of base64
);

CREATE INDEX changes_by_subject ON changes (subject_id, revision) WHERE subject_id <> '';

CREATE TABLE sessions (
    id                    text COLLATE "C" PRIMARY KEY,
    tenant                text COLLATE "C" NOT NULL,
    nas                   text COLLATE "C" NOT NULL,
    nas_address           text COLLATE "C" NOT NULL,
    acct_session_id       text COLLATE "C" NOT NULL,
    started_at            bigint NOT NULL,
    stopped_at            bigint NOT NULL, -- 0: open
    user_name             text COLLATE "C" NOT NULL,
    service_vlan          bigint NOT NULL,
    subscriber_id         text COLLATE "C" NOT NULL,
    class                 bytea NOT NULL,
    updated_at            bigint NOT NULL,
    session_time          bigint NOT NULL, -- seconds
    input_octets          bigint NOT NULL,
    output_octets         bigint NOT NULL,
    input_packets         bigint NOT NULL,
    output_packets        bigint NOT NULL,
    terminate_cause       bigint NOT NULL,
    calling_station_id    text COLLATE "C" NOT NULL,
    nas_port_id           text COLLATE "C" NOT NULL,
    circuit_id            bytea NOT NULL,
    remote_id             bytea NOT NULL,
    framed_ipv4           text COLLATE "C" NOT NULL,
    framed_ipv6_address   text COLLATE "C" NOT NULL,
    framed_ipv6_prefix    text COLLATE "C" NOT NULL,
    delegated_ipv6_prefix text COLLATE "C" NOT NULL,
    inner_vlan            bigint NOT NULL
);

-- Most writes change no indexed column: room beside a row lets them leave the
-- indexes alone.
ALTER TABLE sessions SET (fillfactor = 80);
ALTER TABLE subscribers SET (fillfactor = 90);

CREATE INDEX sessions_by_acct_id ON sessions (tenant, nas, nas_address, acct_session_id, started_at);
CREATE INDEX sessions_by_start ON sessions (started_at);
CREATE INDEX sessions_by_tenant ON sessions (tenant, started_at);
CREATE INDEX sessions_by_user ON sessions (user_name, started_at);
CREATE INDEX sessions_open_by_nas ON sessions (tenant, nas, nas_address, started_at) WHERE stopped_at = 0;
CREATE INDEX sessions_open_by_vlan ON sessions (tenant, service_vlan, started_at) WHERE stopped_at = 0;

-- Accounting as it came, each event once, by day.
CREATE SEQUENCE accounting_seq;

CREATE TABLE accounting_events (
    seq                   bigint NOT NULL DEFAULT nextval('accounting_seq'),
    record_key            bytea NOT NULL, -- equal for an event and its retransmission
    session_id            text COLLATE "C" NOT NULL, -- '' with on and off
    tenant                text COLLATE "C" NOT NULL,
    nas                   text COLLATE "C" NOT NULL,
    nas_address           text COLLATE "C" NOT NULL,
    status                text COLLATE "C" NOT NULL,
    at                    bigint NOT NULL,
    received_at           bigint NOT NULL,
    acct_session_id       text COLLATE "C" NOT NULL,
    user_name             text COLLATE "C" NOT NULL,
    subscriber_id         text COLLATE "C" NOT NULL,
    class                 bytea NOT NULL,
    session_time          bigint NOT NULL, -- seconds
    input_octets          bigint NOT NULL,
    output_octets         bigint NOT NULL,
    input_packets         bigint NOT NULL,
    output_packets        bigint NOT NULL,
    terminate_cause       bigint NOT NULL,
    calling_station_id    text COLLATE "C" NOT NULL,
    nas_port_id           text COLLATE "C" NOT NULL,
    circuit_id            bytea NOT NULL,
    remote_id             bytea NOT NULL,
    framed_ipv4           text COLLATE "C" NOT NULL,
    framed_ipv6_address   text COLLATE "C" NOT NULL,
    framed_ipv6_prefix    text COLLATE "C" NOT NULL,
    delegated_ipv6_prefix text COLLATE "C" NOT NULL,
    service_vlan          bigint NOT NULL,
    inner_vlan            bigint NOT NULL
) PARTITION BY RANGE (at);

-- Parts of a day each are made ahead. What no part was made for (a NAS with a wrong
-- clock, or nobody made any) goes to the rest, so that recording never fails.
CREATE TABLE accounting_events_rest PARTITION OF accounting_events DEFAULT;

-- A key that is unique over all days can't be had; recording looks for it in the
-- days around, see booking.
CREATE UNIQUE INDEX accounting_events_by_key ON accounting_events (record_key, at);
