package postgres

import "linegate"

// lineQuery finds at most two subscribers by a column of their first line or of a
// further one. Each part stops at two: a circuit-id that a whole town has costs no more
// than one that two have. Who is deleted has no lines, and nothing but the id is asked
// of those found: an index of the living would else be read whole for it.
func lineQuery(column string) string {
	return `SELECT s.* FROM (` +
		`(SELECT id FROM subscribers WHERE tenant = $1 AND ` + column + ` = $2 AND deleted_at = 0 AND ` + column + ` <> '' LIMIT 2) ` +
		`UNION (SELECT DISTINCT subscriber_id FROM subscriber_lines WHERE tenant = $1 AND ` + column + ` = $2 AND ` + column + ` <> '' LIMIT 2)` +
		`) AS line (id), LATERAL (` + selectSubscriber + `WHERE id = line.id OFFSET 0) AS s LIMIT 2`
}

const (
	lineColumns = `subscriber_id, tenant, circuit_id, circuit_key`
	deleteLines = `DELETE FROM subscriber_lines WHERE subscriber_id = ANY($1::text[])`
)

// insertLines writes lines; one that a subscriber has twice stands there once.
func insertLines(lines [][]any) statement {
	insert := insertRows("subscriber_lines", lineColumns, lines)
	insert.query += ` ON CONFLICT DO NOTHING`
	return insert
}

// lineValues are the rows of the circuit-ids of a subscriber's further lines.
func lineValues(sub *linegate.Subscriber) (rows [][]any) {
	if sub.Profile == nil {
		return nil
	}
	for _, line := range sub.Profile.MoreLines {
		if line.CircuitID != "" {
			rows = append(rows, []any{sub.ID, sub.Tenant, []byte(line.CircuitID), lineForm(sub.Profile, line.CircuitID)})
		}
	}
	return rows
}

// hasMoreLines tells whether a subscriber, perhaps none, may have rows of lines.
func hasMoreLines(sub *linegate.Subscriber) bool {
	return sub != nil && sub.Profile != nil && len(sub.Profile.MoreLines) > 0
}

// lineForm is a circuit-id's form as a column holds it.
func lineForm(p *linegate.NetworkProfile, circuit linegate.Octets) []byte {
	return append([]byte{}, p.LineForm(circuit)...)
}

// circuitsAfter reads a page of circuit-ids in order of the subscriber's id.
const circuitsAfter = `SELECT id, circuit_id FROM subscribers WHERE id > $1 AND circuit_id <> '' ORDER BY id LIMIT $2`

// fillCircuitKeys gives the subscribers that were there before migration 3 the form
// by which their circuit-id is found, which SQL can't make, a page at a time.
func (w *writing) fillCircuitKeys() error {
	for after, full := "", true; full; {
		var rows [][]any
		err := w.each(func(row scanner) error {
			var circuit []byte
			err := row.Scan(&after, &circuit)
			rows = append(rows, []any{linegate.AppendLineForm([]byte{}, circuit), after})
			return err
		}, circuitsAfter, after, bulkPage)
		if err != nil {
			return err
		}
		if full = len(rows) == bulkPage; len(rows) == 0 {
			continue
		}
		if err := w.execAll([]statement{updateRows("subscribers", "circuit_key", rows)}); err != nil {
			return err
		}
	}
	return nil
}
