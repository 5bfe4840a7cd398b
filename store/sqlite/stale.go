package sqlite

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"linegate"
	"linegate/store/column"
)

// isStale holds for an open session that was silent for so many of its intervals
// before now: ?1 is now, ?2 the intervals. An interval has at least a second.
const isStale = `stopped_at = 0 AND interim_interval > 0 AND updated_at < ?1 - ?2 * 1000000 ` +
	`AND updated_at < ?1 - ?2 * interim_interval * 1000000`

const (
	findStale = `SELECT id FROM sessions WHERE ` + isStale + ` ORDER BY updated_at LIMIT ?3`
	markStale = `UPDATE sessions SET stopped_at = updated_at, terminate_cause = ?3, version = version + 1 ` +
		`WHERE id IN (SELECT value FROM json_each(?4)) AND ` + isStale
)

// staleAtATime bounds how long accounting waits for one step of MarkStale.
const staleAtATime = 1000

// MarkStale implements store.Engine. It looks without the write lock, and looks
// again at the few it found under it.
func (s *Store) MarkStale(ctx context.Context, now time.Time, intervals int) (marked int, err error) {
	for {
		ids, err := s.silent(ctx, now, intervals)
		if err != nil {
			return marked, fmt.Errorf("stale sessions: %w", err)
		}
		page, err := s.closeSilent(ctx, ids, now, intervals)
		if marked += page; err != nil {
			return marked, fmt.Errorf("stale sessions: %w", err)
		}
		if len(ids) < staleAtATime || page == 0 {
			return marked, nil
		}
	}
}

// silent returns the sessions that were silent the longest.
func (s *Store) silent(ctx context.Context, now time.Time, intervals int) (ids []string, err error) {
	err = s.lists.each(ctx, findStale, func(row scanner) error {
		var id string
		err := row.Scan(&id)
		ids = append(ids, id)
		return err
	}, column.Micros(now), intervals, staleAtATime)
	return ids, err
}

// closeSilent closes those of the sessions that still are silent.
func (s *Store) closeSilent(ctx context.Context, ids []string, now time.Time, intervals int) (int, error) {
	if len(ids) == 0 {
		return 0, nil
	}
	list, err := json.Marshal(ids)
	if err != nil {
		return 0, err
	}
	var marked int64
	err = s.write(ctx, func(w *writing) (err error) {
		marked, err = w.execCounted(markStale, column.Micros(now), intervals, linegate.CauseStale, string(list))
		return err
	})
	return int(marked), err
}
