package postgres

import (
	"context"
	"fmt"

	"linegate"
	"linegate/store/column"
)

// actorServer stands in the audit trail for what no person wrote.
const actorServer = "linegate"

const (
	auditColumns = `revision, at, actor, kind, tenant, name, subject_id, outcome, changes, keys`
	selectAudit  = `SELECT ` + auditColumns + ` FROM changes `

	feedQuery     = selectAudit + `WHERE revision > $1 ORDER BY revision LIMIT $2`
	revisionQuery = `SELECT coalesce(max(revision), 0) FROM changes`
	auditQuery    = selectAudit + `WHERE subject_id <> '' AND subject_id IN ` +
		`(SELECT id FROM subscribers WHERE tenant = $1 AND username_key = $2) ORDER BY revision`
)

// audit gives the entry the next revision and returns its row. Nobody else gives
// revisions before this transaction ends, see lockUpdate.
func (u *update) audit(entry linegate.AuditEntry) (row []any, revision int64, err error) {
	changes, keys, err := column.Audit(&entry)
	if err != nil {
		return nil, 0, err
	}
	u.revision++
	return []any{u.revision, column.Micros(u.store.now()), told(u.actor), string(entry.Kind), entry.Tenant, told(entry.Name), entry.ID,
		string(entry.Outcome), changes, keys}, u.revision, nil
}

// auditOne is audit as a statement, for what changes one thing.
func (u *update) auditOne(entry linegate.AuditEntry) (statement, int64, error) {
	row, revision, err := u.audit(entry)
	if err != nil {
		return statement{}, 0, err
	}
	return insertRows("changes", auditColumns, [][]any{row}), revision, nil
}

func scanAudit(row scanner) (entry linegate.AuditEntry, err error) {
	var changes, keys []byte
	err = row.Scan(&entry.Revision, timeColumn{&entry.At}, toldColumn{&entry.Actor}, &entry.Kind,
		&entry.Tenant, toldColumn{&entry.Name}, &entry.ID, &entry.Outcome, &changes, &keys)
	if err != nil {
		return entry, fail(err)
	}
	err = column.ReadAudit(&entry, changes, keys)
	return entry, err
}

// Audit implements store.Engine.
func (s *Store) Audit(ctx context.Context, tenant, username string) (entries []linegate.AuditEntry, err error) {
	err = s.each(ctx, s.lists, func(row scanner) error {
		entry, err := scanAudit(row)
		entries = append(entries, entry)
		return err
	}, auditQuery, told(tenant), told(linegate.ComparableUsername(username)))
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
	err = s.each(ctx, s.lookups, func(row scanner) error {
		entry, err := scanAudit(row)
		entries, last = append(entries, entry), entry.Revision
		return err
	}, feedQuery, after, limit)
	if err != nil {
		return nil, fmt.Errorf("feed: %w", err)
	}
	s.followed.Store(last)
	return entries, nil
}

// Revision implements store.Engine.
func (s *Store) Revision(ctx context.Context) (revision int64, err error) {
	if err := s.row(ctx, s.lookups, []any{&revision}, revisionQuery); err != nil {
		return 0, fmt.Errorf("revision: %w", err)
	}
	return revision, nil
}
