package sqlite

import (
	"context"
	"errors"
	"fmt"
)

// writing is one write transaction.
type writing struct {
	ctx        context.Context
	connection *connection
	failed     error // the first statement that failed; the transaction can't commit any more
}

// write runs fn in one transaction. It waits its turn, in this process and with
// others, as long as ctx and the busy timeout let it, and commits nothing once ctx
// has ended.
func (s *Store) write(ctx context.Context, fn func(*writing) error) error {
	return s.writer.hold(ctx, func(c *connection) error {
		if err := c.exec(ctx, `BEGIN IMMEDIATE`); err != nil {
			return fmt.Errorf("begin: %w", err)
		}
		defer c.rollBack(ctx)
		w := &writing{ctx: ctx, connection: c}
		if err := fn(w); err != nil {
			return err
		}
		if w.failed != nil {
			return w.failed
		}
		if err := c.exec(ctx, `COMMIT`); err != nil {
			return fmt.Errorf("commit: %w", err)
		}
		return nil
	})
}

// rollBack takes back a transaction that is not over, whether ctx has ended or not.
// Where that fails the next one can't begin, and says so.
func (c *connection) rollBack(ctx context.Context) {
	if !c.raw.AutocommitEnabled() {
		_ = c.exec(context.WithoutCancel(ctx), `ROLLBACK`)
	}
}

// exec runs a statement that is not asked for rows. When it fails, the transaction
// does not commit a part of what was meant.
func (w *writing) exec(query string, args ...any) error {
	err := w.connection.exec(w.ctx, query, args...)
	if err != nil {
		w.failed = errors.Join(w.failed, err)
	}
	return err
}

// execCounted returns how many rows changed.
func (w *writing) execCounted(query string, args ...any) (rows int64, err error) {
	if err := w.exec(query, args...); err != nil {
		return 0, err
	}
	return int64(w.connection.raw.Changes()), nil
}

// insert returns the number of the row that a statement adds.
func (w *writing) insert(query string, args ...any) (id int64, err error) {
	if err := w.exec(query, args...); err != nil {
		return 0, err
	}
	return w.connection.raw.LastInsertRowID(), nil
}

// row reads one row with scan; no row is linegate.ErrNotFound.
func (w *writing) row(query string, scan func(scanner) error, args ...any) error {
	return w.connection.row(w.ctx, query, scan, args...)
}

// rows reads all rows with scan.
func (w *writing) rows(query string, scan func(scanner) error, args ...any) error {
	return w.connection.each(w.ctx, query, scan, args...)
}
