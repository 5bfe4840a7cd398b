-- What dialects grant, and how lines are compared.

ALTER TABLE nas ADD COLUMN line_match TEXT NOT NULL DEFAULT '';

ALTER TABLE subscribers ADD COLUMN line_match TEXT NOT NULL DEFAULT '';
ALTER TABLE subscribers ADD COLUMN more_lines TEXT NOT NULL DEFAULT '';
ALTER TABLE subscribers ADD COLUMN check_vlan TEXT NOT NULL DEFAULT '';
ALTER TABLE subscribers ADD COLUMN dns_servers TEXT NOT NULL DEFAULT '';
ALTER TABLE subscribers ADD COLUMN filter_id TEXT NOT NULL DEFAULT '';
ALTER TABLE subscribers ADD COLUMN reply_attributes TEXT NOT NULL DEFAULT '';
-- The circuit-id in the form by which it is found where octets are not what counts;
-- x'' when there is none, or it is a pattern. The program fills it in.
ALTER TABLE subscribers ADD COLUMN circuit_key BLOB NOT NULL DEFAULT x'';

CREATE INDEX subscribers_by_line ON subscribers (tenant, circuit_key) WHERE deleted_at = 0 AND circuit_key <> x'';

-- The circuit-ids of more_lines, to be found by.
CREATE TABLE subscriber_lines (
    subscriber_id TEXT NOT NULL REFERENCES subscribers (id),
    tenant        TEXT NOT NULL,
    circuit_id    BLOB NOT NULL,
    circuit_key   BLOB NOT NULL,
    PRIMARY KEY (subscriber_id, circuit_id)
) STRICT;

CREATE INDEX subscriber_lines_by_circuit ON subscriber_lines (tenant, circuit_id);
CREATE INDEX subscriber_lines_by_line ON subscriber_lines (tenant, circuit_key) WHERE circuit_key <> x'';
