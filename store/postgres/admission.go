package postgres

import (
	"context"
	"fmt"

	"linegate"
	"linegate/store/column"
)

// admitPlace takes subscriber, place, limit, now, and until when the place is held.
// It returns whether there was room, and holds the place if there was.
const admitPlace = `WITH others AS (` +
	`SELECT place FROM sessions WHERE subscriber_id = $1 AND subscriber_id <> '' AND stopped_at = 0 AND place <> $2 ` +
	`UNION SELECT place FROM admissions WHERE subscriber_id = $1 AND place <> $2 AND expires_at > $4), ` +
	`room AS (SELECT count(*) < $3 AS is_left FROM others), ` +
	`held AS (INSERT INTO admissions (subscriber_id, place, expires_at) SELECT $1, $2, $5 FROM room WHERE is_left AND $5 > $4 ` +
	`ON CONFLICT (subscriber_id, place) DO UPDATE SET expires_at = greatest(admissions.expires_at, excluded.expires_at)) ` +
	`SELECT is_left FROM room`

// releaseOldest drops what has expired, a little each time; it waits for nobody.
const releaseOldest = `DELETE FROM admissions WHERE (subscriber_id, place) IN (` +
	`SELECT subscriber_id, place FROM admissions WHERE expires_at <= $1 ORDER BY expires_at LIMIT 100 FOR UPDATE SKIP LOCKED)`

// Admit implements store.Engine. Those who ask for one subscriber take turns.
func (s *Store) Admit(ctx context.Context, a linegate.Admission) (admitted bool, err error) {
	now, until := column.Micros(a.At), column.Micros(a.At.Add(a.Hold))
	err = s.repeatedly(ctx, s.lookups, func(w *writing) error {
		if err := w.exec(takeLock, lockSubscribers, bucketOf(a.SubscriberID)); err != nil {
			return err
		}
		if err := w.row([]any{&admitted}, admitPlace, told(a.SubscriberID), told(a.Place), int64(a.Limit), now, until); err != nil || a.Hold == 0 {
			return err
		}
		return w.exec(releaseOldest, now)
	})
	if err != nil {
		return false, fmt.Errorf("admission: %w", err)
	}
	return admitted, nil
}
