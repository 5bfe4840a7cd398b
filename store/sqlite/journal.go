package sqlite

import (
	"context"
	"fmt"
	"time"

	"linegate"
	"linegate/store/column"
)

// journalKept is how long the journal of a change of many sessions is kept.
const journalKept = 30 * 24 * time.Hour

const (
	journalColumns = `key, session_id, result, cause, disconnected, at`
	putRecord      = `INSERT OR REPLACE INTO change_records (` + journalColumns + `) VALUES (?, ?, ?, ?, ?, ?)`
)

// BeginChanges implements store.Engine. Journals that are too old make room.
func (s *Store) BeginChanges(ctx context.Context, key, what string) (first bool, known string, err error) {
	err = s.write(ctx, func(w *writing) error {
		begun, err := w.execCounted(`INSERT INTO change_journals (key, what, begun_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING`,
			key, what, column.Micros(s.now()))
		if err != nil {
			return err
		}
		if first = begun > 0; !first {
			return w.row(`SELECT what FROM change_journals WHERE key = ?`, into(&known), key)
		}
		known = what
		old := column.Micros(s.now().Add(-journalKept))
		if err := w.exec(`DELETE FROM change_records WHERE key IN (SELECT key FROM change_journals WHERE begun_at < ?)`, old); err != nil {
			return err
		}
		return w.exec(`DELETE FROM change_journals WHERE begun_at < ?`, old)
	})
	if err != nil {
		return false, "", fmt.Errorf("journal %s: %w", key, err)
	}
	return first, known, nil
}

// RecordChanges implements store.Engine.
func (s *Store) RecordChanges(ctx context.Context, key string, done []linegate.ChangeRecord) error {
	err := s.write(ctx, func(w *writing) error {
		for _, record := range done {
			err := w.exec(putRecord, key, record.SessionID, string(record.Result), int64(record.Cause), record.Disconnected, column.Micros(record.At))
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("journal %s: %w", key, err)
	}
	return nil
}

// EachChangeRecord implements store.Engine.
func (s *Store) EachChangeRecord(ctx context.Context, key string, fn func(linegate.ChangeRecord) error) error {
	query := `SELECT session_id, result, cause, disconnected, at FROM change_records WHERE key = ? ORDER BY session_id`
	return s.list(ctx, "journal "+key, query, func(row scanner) error {
		var record linegate.ChangeRecord
		if err := row.Scan(&record.SessionID, &record.Result, &record.Cause, &record.Disconnected, column.ReadMicros(&record.At)); err != nil {
			return err
		}
		return fn(record)
	}, key)
}
