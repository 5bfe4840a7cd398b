package sqlite

import (
	"context"
	"fmt"

	"linegate"
	"linegate/store/column"
)

const (
	// placesTaken counts the places other than the asker's own where the subscriber
	// has a session open or a place held.
	placesTaken = `SELECT count(*) FROM (` +
		`SELECT place FROM sessions WHERE subscriber_id = ?1 AND subscriber_id <> '' AND stopped_at = 0 AND place <> ?2 ` +
		`UNION SELECT place FROM admissions WHERE subscriber_id = ?1 AND place <> ?2 AND expires_at > ?3)`
	holdPlace = `INSERT INTO admissions (subscriber_id, place, expires_at) VALUES (?, ?, ?) ` +
		`ON CONFLICT (subscriber_id, place) DO UPDATE SET expires_at = max(expires_at, excluded.expires_at)`
	releasePlace  = `DELETE FROM admissions WHERE subscriber_id = ? AND place = ?`
	releaseOldest = `DELETE FROM admissions WHERE rowid IN (SELECT rowid FROM admissions WHERE expires_at <= ? LIMIT 100)`
)

// Admit implements store.Engine. There is one write transaction at a time, so two
// that ask at once see one another.
func (s *Store) Admit(ctx context.Context, a linegate.Admission) (admitted bool, err error) {
	var taken int
	asked := []any{a.SubscriberID, a.Place, column.Micros(a.At)}
	if a.Hold == 0 {
		err = s.lookups.row(ctx, placesTaken, into(&taken), asked...)
	} else {
		err = s.write(ctx, func(w *writing) error {
			if err := w.row(placesTaken, into(&taken), asked...); err != nil || taken >= int(a.Limit) {
				return err
			}
			if err := w.exec(releaseOldest, column.Micros(a.At)); err != nil {
				return err
			}
			return w.exec(holdPlace, a.SubscriberID, a.Place, column.Micros(a.At.Add(a.Hold)))
		})
	}
	if err != nil {
		return false, fmt.Errorf("admission: %w", err)
	}
	return taken < int(a.Limit), nil
}
