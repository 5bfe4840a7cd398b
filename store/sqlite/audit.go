package sqlite

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"linegate"
	"linegate/store/column"
)

// actorServer stands in the audit trail for what no person wrote.
const actorServer = "linegate"

const (
	auditWritten = `at, actor, kind, tenant, name, subject_id, outcome, changes, keys`
	selectAudit  = `SELECT revision, ` + auditWritten + ` FROM changes `

	feedQuery     = selectAudit + `WHERE revision > ? ORDER BY revision LIMIT ?`
	revisionQuery = `SELECT coalesce(max(revision), 0) FROM changes`
	auditQuery    = selectAudit + `WHERE subject_id <> '' AND subject_id IN ` +
		`(SELECT id FROM subscribers WHERE tenant = ? AND username_key = ?) ORDER BY revision`
)

// audit writes the entry and returns its revision.
func (u *update) audit(entry linegate.AuditEntry) (revision int64, err error) {
	changes, keys, err := column.Audit(&entry)
	if err != nil {
		return 0, err
	}
	revision, err = u.w.insert(insertInto("changes", auditWritten), column.Micros(u.store.now()), u.actor, string(entry.Kind),
		entry.Tenant, entry.Name, entry.ID, string(entry.Outcome), changes, keys)
	if err != nil {
		return 0, fmt.Errorf("audit entry of %s: %w", entry.Name, err)
	}
	return revision, nil
}

func scanAudit(row scanner) (entry linegate.AuditEntry, err error) {
	var changes, keys []byte
	err = row.Scan(&entry.Revision, column.ReadMicros(&entry.At), &entry.Actor, &entry.Kind,
		&entry.Tenant, &entry.Name, &entry.ID, &entry.Outcome, &changes, &keys)
	if err != nil {
		return entry, err
	}
	err = column.ReadAudit(&entry, changes, keys)
	return entry, err
}

// Audit implements store.Engine.
func (s *Store) Audit(ctx context.Context, tenant, username string) (entries []linegate.AuditEntry, err error) {
	err = s.lists.each(ctx, auditQuery, func(row scanner) error {
		entry, err := scanAudit(row)
		entries = append(entries, entry)
		return err
	}, tenant, linegate.ComparableUsername(username))
	if err == nil && len(entries) == 0 {
		err = linegate.ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("audit of %q: %w", username, err)
	}
	return entries, nil
}

// Feed implements store.Engine.
func (s *Store) Feed(ctx context.Context, after int64, limit int) (entries []linegate.AuditEntry, err error) {
	last := after
	err = s.lookups.each(ctx, feedQuery, func(row scanner) error {
		entry, err := scanAudit(row)
		entries, last = append(entries, entry), entry.Revision
		return err
	}, after, limit)
	if err != nil {
		return nil, fmt.Errorf("feed: %w", err)
	}
	s.followed.Store(last)
	return entries, nil
}

// Revision implements store.Engine.
func (s *Store) Revision(ctx context.Context) (revision int64, err error) {
	if err := s.lookups.row(ctx, revisionQuery, into(&revision)); err != nil {
		return 0, fmt.Errorf("revision: %w", err)
	}
	return revision, nil
}

// pollInterval is how often Changed looks for what other processes committed.
const pollInterval = 50 * time.Millisecond

// Changed implements store.Engine. Writes of this process wake it at once. It
// counts from what Feed last handed out, so that a commit between a Feed and the
// Changed that follows is not missed.
func (s *Store) Changed(ctx context.Context) error {
	written := s.changed.wait()
	seen, err := s.Revision(ctx)
	if err != nil {
		return cmp.Or(ctx.Err(), err)
	}
	if followed := s.followed.Load(); followed >= 0 {
		seen = min(seen, followed)
	}
	poll := time.NewTicker(pollInterval)
	defer poll.Stop()
	for {
		if newest, err := s.Revision(ctx); err != nil || newest > seen {
			return cmp.Or(ctx.Err(), err)
		}
		select {
		case <-written:
			return s.awake()
		case <-poll.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// awake tells a commit from the closing of the store.
func (s *Store) awake() error {
	if s.closed.Load() {
		return errClosed
	}
	return nil
}
