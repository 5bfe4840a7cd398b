package sqlite

import (
	"fmt"

	"linegate"
	"linegate/store/column"
)

// lineQuery finds at most two subscribers by a column of their first line or of a
// further one. It names the columns so that the indexes with conditions serve it.
func lineQuery(column string) string {
	return selectSubscriber + `WHERE deleted_at = 0 AND id IN (` +
		`SELECT id FROM subscribers WHERE tenant = ?1 AND ` + column + ` = ?2 AND deleted_at = 0 AND ` + column + ` <> x'' ` +
		`UNION ALL SELECT subscriber_id FROM subscriber_lines WHERE tenant = ?1 AND ` + column + ` = ?2 AND ` + column + ` <> x'') LIMIT 2`
}

// writeLines keeps the circuit-ids of a subscriber's further lines; old is nil for
// a new subscriber.
func (u *update) writeLines(sub, old *linegate.Subscriber) error {
	if old != nil && old.Profile != nil && len(old.Profile.MoreLines) > 0 {
		if err := u.w.exec(`DELETE FROM subscriber_lines WHERE subscriber_id = ?`, sub.ID); err != nil {
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

// fillCircuitKeys gives the subscribers that were there before migration 3 the form
// by which their circuit-id is found, which SQL can't make.
func (s *Store) fillCircuitKeys(w *writing) error {
	rows, err := w.tx.QueryContext(w.ctx, `SELECT id, circuit_id FROM subscribers WHERE circuit_id <> x''`)
	if err != nil {
		return fail(err)
	}
	type circuit struct {
		id    string
		value linegate.Octets
	}
	var circuits []circuit
	err = each(rows, func(row scanner) error {
		var c circuit
		err := row.Scan(&c.id, column.ReadOctets(&c.value))
		circuits = append(circuits, c)
		return err
	})
	if err != nil {
		return err
	}
	for _, c := range circuits {
		key := append([]byte{}, linegate.AppendLineForm(nil, []byte(c.value))...)
		if err := w.exec(`UPDATE subscribers SET circuit_key = ? WHERE id = ?`, key, c.id); err != nil {
			return err
		}
	}
	return nil
}
