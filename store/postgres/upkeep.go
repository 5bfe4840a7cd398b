package postgres

import (
	"context"
	"fmt"
	"time"

	"linegate"
	"linegate/store"
	"linegate/store/column"
)

// upkeepAtATime bounds how much one transaction of upkeep changes.
const upkeepAtATime = 5000

// A session that another transaction is writing to is neither stale nor old: it is
// passed over, so that upkeep waits for nobody.
const (
	markStale = `UPDATE sessions SET stopped_at = updated_at, terminate_cause = $4, version = version + 1 WHERE id IN (` +
		`SELECT id FROM sessions WHERE stopped_at = 0 AND interim_interval > 0 AND updated_at < $1 - $2 * interim_interval * 1000000 ` +
		`LIMIT $3 FOR UPDATE SKIP LOCKED)`
	// dropSessions looks by the start, which is never after the end, so that no index
	// has to follow the end.
	dropSessions = `DELETE FROM sessions WHERE id IN (` +
		`SELECT id FROM sessions WHERE started_at < $1 AND stopped_at > 0 AND stopped_at < $1 ORDER BY started_at LIMIT $2 FOR UPDATE SKIP LOCKED)`
	dropEvents = `DELETE FROM accounting_events_rest WHERE ctid = ANY(ARRAY(` +
		`SELECT ctid FROM accounting_events_rest WHERE at < $1 LIMIT $2))`
)

// MarkStale implements store.Engine.
func (s *Store) MarkStale(ctx context.Context, now time.Time, intervals int) (int, error) {
	marked, err := s.inSteps(ctx, markStale, column.Micros(now), int64(intervals), upkeepAtATime, int64(linegate.CauseStale))
	if err != nil {
		return int(marked), fmt.Errorf("stale sessions: %w", err)
	}
	return int(marked), nil
}

// Retain implements store.Engine. Days of accounting are dropped when all of them
// is old, so that an event may stay for a day longer than it has to. It also makes
// the coming days' parts.
func (s *Store) Retain(ctx context.Context, retention store.Retention) (dropped store.Retained, err error) {
	if err := s.makeParts(ctx); err != nil {
		return dropped, err
	}
	if before := retention.EventsBefore; !before.IsZero() {
		if dropped.Events, err = s.dropParts(ctx, before); err != nil {
			return dropped, fmt.Errorf("drop of old accounting: %w", err)
		}
		rest, err := s.inSteps(ctx, dropEvents, column.Micros(before), upkeepAtATime)
		if dropped.Events += rest; err != nil {
			return dropped, fmt.Errorf("drop of old accounting: %w", err)
		}
	}
	if before := retention.SessionsBefore; !before.IsZero() {
		if dropped.Sessions, err = s.inSteps(ctx, dropSessions, column.Micros(before), upkeepAtATime); err != nil {
			return dropped, fmt.Errorf("drop of old sessions: %w", err)
		}
	}
	return dropped, nil
}

// inSteps runs a statement that changes at most upkeepAtATime rows until it changes
// no more than that.
func (s *Store) inSteps(ctx context.Context, query string, args ...any) (changed int64, err error) {
	for last := int64(upkeepAtATime); last == upkeepAtATime; changed += last {
		err = s.repeatedly(ctx, s.lists, func(w *writing) (err error) {
			last, err = w.execCounted(query, args...)
			return err
		})
		if err != nil {
			return changed, err
		}
	}
	return changed, nil
}
