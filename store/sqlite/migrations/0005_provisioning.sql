-- What provisioning has to remember. Its workflows keep tables of their own beside these.

-- The one order that works on a subscriber.
CREATE TABLE provisioning_claims (
    tenant       TEXT NOT NULL,
    username_key TEXT NOT NULL,
    order_id     TEXT NOT NULL UNIQUE,
    cancel_asked INTEGER NOT NULL DEFAULT 0,
    claimed_at   INTEGER NOT NULL,
    PRIMARY KEY (tenant, username_key)
) STRICT;

CREATE TABLE services (
    id           TEXT NOT NULL PRIMARY KEY,
    tenant       TEXT NOT NULL,
    username_key TEXT NOT NULL,
    username     TEXT NOT NULL,
    state        TEXT NOT NULL,
    order_id     TEXT NOT NULL,
    metadata     TEXT NOT NULL, -- JSON, the plan's service_metadata
    updated_at   INTEGER NOT NULL
) STRICT;

CREATE INDEX services_by_subscriber ON services (tenant, username_key, updated_at);

-- Written before the owner of the address plan is asked.
CREATE TABLE allocations (
    key        TEXT NOT NULL PRIMARY KEY,
    tenant     TEXT NOT NULL,
    state      TEXT NOT NULL,
    claim      TEXT NOT NULL, -- JSON
    allocation TEXT NOT NULL, -- JSON
    free_at    INTEGER NOT NULL DEFAULT 0,
    updated_at INTEGER NOT NULL
) STRICT;

CREATE TABLE vlan_ranges (
    tenant      TEXT NOT NULL,
    olt         TEXT NOT NULL,
    pool        TEXT NOT NULL,
    position    INTEGER NOT NULL, -- the order in which ranges are filled
    first       INTEGER NOT NULL,
    last        INTEGER NOT NULL,
    inner_first INTEGER NOT NULL,
    inner_last  INTEGER NOT NULL,
    capacity    INTEGER NOT NULL,
    PRIMARY KEY (tenant, olt, pool, position)
) STRICT;

CREATE TABLE vlan_assignments (
    key          TEXT NOT NULL PRIMARY KEY, -- of the service; of a reservation, its name
    tenant       TEXT NOT NULL,
    olt          TEXT NOT NULL,
    pool         TEXT NOT NULL,
    service_vlan INTEGER NOT NULL,
    inner_vlan   INTEGER NOT NULL,
    reserved     INTEGER NOT NULL DEFAULT 0,
    assigned_at  INTEGER NOT NULL
) STRICT;

CREATE INDEX vlan_assignments_by_pool ON vlan_assignments (tenant, olt, pool);
