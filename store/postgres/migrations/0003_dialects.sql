-- What dialects grant, and how lines are compared.

ALTER TABLE nas ADD COLUMN line_match text COLLATE "C" NOT NULL DEFAULT '';

-- circuit_key is the circuit-id in the form by which it is found where octets are not
-- what counts; '' when there is none, or it is a pattern. The program fills it in.
ALTER TABLE subscribers
    ADD COLUMN line_match       text COLLATE "C" NOT NULL DEFAULT '',
    ADD COLUMN more_lines       text COLLATE "C" NOT NULL DEFAULT '',
    ADD COLUMN check_vlan       text COLLATE "C" NOT NULL DEFAULT '',
    ADD COLUMN dns_servers      text COLLATE "C" NOT NULL DEFAULT '',
    ADD COLUMN filter_id        text COLLATE "C" NOT NULL DEFAULT '',
    ADD COLUMN reply_attributes text COLLATE "C" NOT NULL DEFAULT '',
    ADD COLUMN circuit_key      bytea NOT NULL DEFAULT '';

CREATE INDEX subscribers_by_line ON subscribers (tenant, circuit_key) WHERE deleted_at = 0 AND circuit_key <> '';

-- The circuit-ids of more_lines of those who are not deleted, to be found by.
CREATE TABLE subscriber_lines (
    subscriber_id text COLLATE "C" NOT NULL, -- of subscribers, without a foreign key, as tenant has none there
    tenant        text COLLATE "C" NOT NULL,
    circuit_id    bytea NOT NULL,
    circuit_key   bytea NOT NULL,
    PRIMARY KEY (subscriber_id, circuit_id)
);

-- With the subscriber, so that two of many are found without reading all.
CREATE INDEX subscriber_lines_by_circuit ON subscriber_lines (tenant, circuit_id, subscriber_id);
CREATE INDEX subscriber_lines_by_line ON subscriber_lines (tenant, circuit_key, subscriber_id) WHERE circuit_key <> '';
