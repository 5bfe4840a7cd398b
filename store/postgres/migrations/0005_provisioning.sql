-- What provisioning has to remember. Its workflows keep tables of their own beside these.

-- The one order that works on a subscriber.
CREATE TABLE provisioning_claims (
    tenant       text COLLATE "C" NOT NULL,
    username_key text COLLATE "C" NOT NULL,
    order_id     text COLLATE "C" NOT NULL UNIQUE,
    cancel_asked boolean NOT NULL DEFAULT false,
    claimed_at   bigint NOT NULL,
    PRIMARY KEY (tenant, username_key)
);

CREATE TABLE services (
    id           text COLLATE "C" NOT NULL PRIMARY KEY,
    tenant       text COLLATE "C" NOT NULL,
    username_key text COLLATE "C" NOT NULL,
    username     text COLLATE "C" NOT NULL,
    state        text COLLATE "C" NOT NULL,
    order_id     text COLLATE "C" NOT NULL,
    metadata     text COLLATE "C" NOT NULL, -- JSON, the plan's service_metadata
    updated_at   bigint NOT NULL
);

CREATE INDEX services_by_subscriber ON services (tenant, username_key, updated_at);

-- Written before the owner of the address plan is asked.
CREATE TABLE allocations (
    key        text COLLATE "C" NOT NULL PRIMARY KEY,
    tenant     text COLLATE "C" NOT NULL,
    state      text COLLATE "C" NOT NULL,
    claim      text COLLATE "C" NOT NULL, -- JSON
    allocation text COLLATE "C" NOT NULL, -- JSON
    free_at    bigint NOT NULL DEFAULT 0,
    updated_at bigint NOT NULL
);

CREATE TABLE vlan_ranges (
    tenant      text COLLATE "C" NOT NULL,
    olt         text COLLATE "C" NOT NULL,
    pool        text COLLATE "C" NOT NULL,
    position    bigint NOT NULL, -- the order in which ranges are filled
    first       bigint NOT NULL,
    last        bigint NOT NULL,
    inner_first bigint NOT NULL,
    inner_last  bigint NOT NULL,
    capacity    bigint NOT NULL,
    PRIMARY KEY (tenant, olt, pool, position)
);

CREATE TABLE vlan_assignments (
    key          text COLLATE "C" NOT NULL PRIMARY KEY, -- of the service; of a reservation, its name
    tenant       text COLLATE "C" NOT NULL,
    olt          text COLLATE "C" NOT NULL,
    pool         text COLLATE "C" NOT NULL,
    service_vlan bigint NOT NULL,
    inner_vlan   bigint NOT NULL,
    reserved     boolean NOT NULL DEFAULT false,
    assigned_at  bigint NOT NULL
);

CREATE INDEX vlan_assignments_by_pool ON vlan_assignments (tenant, olt, pool);
