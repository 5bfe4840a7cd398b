package sqlite

import (
	"context"
	"fmt"
	"time"

	"linegate/store"
	"linegate/store/column"
)

const (
	dropEvents = `DELETE FROM accounting_events WHERE seq IN ` +
		`(SELECT seq FROM accounting_events WHERE at < ? ORDER BY at LIMIT ?)`
	// dropSessions looks by the start, which is never after the end, so that no index
	// has to follow the end.
	dropSessions = `DELETE FROM sessions WHERE rowid IN ` +
		`(SELECT rowid FROM sessions WHERE started_at < ?1 AND stopped_at > 0 AND stopped_at < ?1 ORDER BY started_at LIMIT ?2)`
)

// droppedAtATime bounds how long accounting waits for one step of Retain.
const droppedAtATime = 1000

// Retain implements store.Engine. The file does not shrink: what becomes free in it
// is used again.
func (s *Store) Retain(ctx context.Context, retention store.Retention) (dropped store.Retained, err error) {
	if dropped.Events, err = s.drop(ctx, dropEvents, retention.EventsBefore); err != nil {
		return dropped, fmt.Errorf("drop of old accounting: %w", err)
	}
	if dropped.Sessions, err = s.drop(ctx, dropSessions, retention.SessionsBefore); err != nil {
		return dropped, fmt.Errorf("drop of old sessions: %w", err)
	}
	return dropped, nil
}

// drop runs one of the statements until nothing is left from before; a zero time
// leaves all.
func (s *Store) drop(ctx context.Context, statement string, before time.Time) (dropped int64, err error) {
	for last := int64(droppedAtATime); last == droppedAtATime && !before.IsZero(); dropped += last {
		err = s.write(ctx, func(w *writing) (err error) {
			last, err = w.execCounted(statement, column.Micros(before), droppedAtATime)
			return err
		})
		if err != nil {
			return dropped, err
		}
	}
	return dropped, nil
}
