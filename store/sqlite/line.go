package sqlite

import (
	"fmt"

	"linegate"
)

// lineQuery finds at most two subscribers by a column of their first line or of a
// further one. It names the columns so that the indexes with conditions serve it.
func lineQuery(column string) string {
	return selectSubscriber + `WHERE deleted_at = 0 AND id IN (` +
		`SELECT id FROM subscribers WHERE tenant = ?1 AND ` + column + ` = ?2 AND deleted_at = 0 AND ` + column + ` <> x'' ` +
		`UNION ALL SELECT subscriber_id FROM subscriber_lines WHERE tenant = ?1 AND ` + column + ` = ?2 AND ` + column + ` <> x'') LIMIT 2`
}

// deleteLines is for a subscriber's further lines, all of them.
const deleteLines = `DELETE FROM subscriber_lines WHERE subscriber_id = ?`

// writeLines keeps the circuit-ids of a subscriber's further lines; old is nil for
// a new subscriber.
func (u *update) writeLines(sub, old *linegate.Subscriber) error {
	if old != nil && old.Profile != nil && len(old.Profile.MoreLines) > 0 {
		if err := u.w.exec(deleteLines, sub.ID); err != nil {
			return fmt.Errorf("lines: %w", err)
		}
	}
	if sub.Profile == nil {
		return nil
	}
	for _, line := range sub.Profile.MoreLines {
		if line.CircuitID == "" {
			continue
		}
		err := u.w.exec(`INSERT INTO subscriber_lines (subscriber_id, tenant, circuit_id, circuit_key) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING`,
			sub.ID, sub.Tenant, []byte(line.CircuitID), lineForm(sub.Profile, line.CircuitID))
		if err != nil {
			return fmt.Errorf("lines: %w", err)
		}
	}
	return nil
}

// lineForm is a circuit-id's form as a column holds it.
func lineForm(p *linegate.NetworkProfile, circuit linegate.Octets) []byte {
	return append([]byte{}, p.LineForm(circuit)...)
}

// A page of circuit-ids, in order of the subscriber's id.
const (
	circuitsAfter = `SELECT id, circuit_id FROM subscribers WHERE id > ? AND circuit_id <> x'' ORDER BY id LIMIT ?`
	circuitPage   = 2000
)

// fillCircuitKeys gives the subscribers that were there before migration 3 the form
// by which their circuit-id is found, which SQL can't make, a page at a time.
func (w *writing) fillCircuitKeys() error {
	type circuit struct {
		id  string
		key []byte
	}
	for after, full := "", true; full; {
		var page []circuit
		err := w.rows(circuitsAfter, func(row scanner) error {
			var value []byte
			err := row.Scan(&after, &value)
			page = append(page, circuit{after, linegate.AppendLineForm([]byte{}, value)})
			return err
		}, after, circuitPage)
		if err != nil {
			return err
		}
		for _, c := range page {
			if err := w.exec(`UPDATE subscribers SET circuit_key = ? WHERE id = ?`, c.key, c.id); err != nil {
				return err
			}
		}
		full = len(page) == circuitPage
	}
	return nil
}
