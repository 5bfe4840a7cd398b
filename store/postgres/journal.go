package postgres

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"linegate"
	"linegate/store/column"
)

// journalKept is how long the journal of a change of many sessions is kept.
const journalKept = 30 * 24 * time.Hour

const (
	beginJournal = `INSERT INTO change_journals (key, what, begun_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`
	journalOf    = `SELECT what FROM change_journals WHERE key = $1`
	dropRecords  = `DELETE FROM change_records WHERE key = ANY (ARRAY(SELECT key FROM change_journals WHERE begun_at < $1))`
	dropJournals = `DELETE FROM change_journals WHERE begun_at < $1`

	recordColumns = `key, session_id, result, cause, disconnected, at`
	recordAgain   = ` ON CONFLICT (key, session_id) DO UPDATE SET (result, cause, disconnected, at) = ` +
		`(excluded.result, excluded.cause, excluded.disconnected, excluded.at)`
	recordsOf = `SELECT session_id, result, cause, disconnected, at FROM change_records WHERE key = $1 ORDER BY session_id`
)

// BeginChanges implements store.Engine. Journals that are too old make room.
func (s *Store) BeginChanges(ctx context.Context, key, what string) (first bool, known string, err error) {
	err = s.repeatedly(ctx, s.lookups, func(w *writing) error {
		begun, err := w.execCounted(beginJournal, told(key), told(what), column.Micros(s.now()))
		if err != nil {
			return err
		}
		if first = begun > 0; !first {
			return w.row([]any{toldColumn{&known}}, journalOf, told(key))
		}
		known = what
		old := []any{column.Micros(s.now().Add(-journalKept))}
		return w.execAll([]statement{{dropRecords, old}, {dropJournals, old}})
	})
	if err != nil {
		return false, "", fmt.Errorf("journal %s: %w", key, err)
	}
	return first, known, nil
}

// RecordChanges implements store.Engine. Rows go in order of session, so that those
// who write the same ones don't wait for each other in a circle.
func (s *Store) RecordChanges(ctx context.Context, key string, done []linegate.ChangeRecord) error {
	if len(done) == 0 {
		return nil
	}
	last := make(map[string]linegate.ChangeRecord, len(done))
	for _, record := range done {
		last[record.SessionID] = record
	}
	rows := make([][]any, 0, len(last))
	for _, id := range slices.Sorted(maps.Keys(last)) {
		record := last[id]
		rows = append(rows, []any{told(key), told(id), string(record.Result), int64(record.Cause), record.Disconnected, column.Micros(record.At)})
	}
	put := insertRows("change_records", recordColumns, rows)
	put.query += recordAgain
	err := s.repeatedly(ctx, s.lookups, func(w *writing) error { return w.execAll([]statement{put}) })
	if err != nil {
		return fmt.Errorf("journal %s: %w", key, err)
	}
	return nil
}

// EachChangeRecord implements store.Engine. PostgreSQL sends no faster than fn reads.
func (s *Store) EachChangeRecord(ctx context.Context, key string, fn func(linegate.ChangeRecord) error) error {
	return s.each(ctx, s.lists, func(row scanner) error {
		var record linegate.ChangeRecord
		err := row.Scan(toldColumn{&record.SessionID}, &record.Result, &record.Cause, &record.Disconnected, timeColumn{&record.At})
		if err != nil {
			return fmt.Errorf("journal %s: %w", key, fail(err))
		}
		return fn(record)
	}, recordsOf, told(key))
}
