package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// writing is one write transaction. Its statements don't watch the context, which
// costs a goroutine each: the transaction as a whole does.
type writing struct {
	ctx        context.Context
	tx         *sql.Tx
	prepared   map[string]*sql.Stmt // of the store
	statements map[string]*sql.Stmt
	failed     error // the first statement that failed; the transaction can't commit any more
}

// write runs fn in one transaction. It waits its turn, in this process and with
// others, as long as ctx and the busy timeout let it.
func (s *Store) write(ctx context.Context, fn func(*writing) error) (err error) {
	tx, err := s.writer.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin: %w", fail(err))
	}
	defer tx.Rollback() // does nothing after Commit
	w := &writing{ctx: context.WithoutCancel(ctx), tx: tx, prepared: s.accounting, statements: make(map[string]*sql.Stmt)}
	if err := fn(w); err != nil {
		return err
	}
	if w.failed != nil {
		return w.failed
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", fail(err))
	}
	return nil
}

// statement prepares a query once in the transaction, unless the store has.
func (w *writing) statement(query string) (statement *sql.Stmt, err error) {
	if statement := w.statements[query]; statement != nil {
		return statement, nil
	}
	if prepared := w.prepared[query]; prepared != nil {
		statement = w.tx.StmtContext(w.ctx, prepared)
	} else if statement, err = w.tx.PrepareContext(w.ctx, query); err != nil {
		return nil, w.fail(err)
	}
	w.statements[query] = statement
	return statement, nil
}

// fail puts an error in Linegate's words and keeps the transaction from
// committing a part of what was meant.
func (w *writing) fail(err error) error {
	err = fail(err)
	w.failed = errors.Join(w.failed, err)
	return err
}

func (w *writing) exec(query string, args ...any) error {
	_, err := w.execCounted(query, args...)
	return err
}

// execCounted returns how many rows changed.
func (w *writing) execCounted(query string, args ...any) (rows int64, err error) {
	result, err := w.run(query, args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

func (w *writing) run(query string, args ...any) (sql.Result, error) {
	prepared, err := w.statement(query)
	if err != nil {
		return nil, err
	}
	result, err := prepared.ExecContext(w.ctx, args...)
	if err != nil {
		return nil, w.fail(err)
	}
	return result, nil
}

// row reads one row with scan; no row is linegate.ErrNotFound.
func (w *writing) row(query string, scan func(scanner) error, args ...any) error {
	prepared, err := w.statement(query)
	if err != nil {
		return err
	}
	return fail(scan(prepared.QueryRowContext(w.ctx, args...)))
}

// rows reads all rows with scan.
func (w *writing) rows(query string, scan func(scanner) error, args ...any) error {
	prepared, err := w.statement(query)
	if err != nil {
		return err
	}
	rows, err := prepared.QueryContext(w.ctx, args...)
	if err != nil {
		return fail(err)
	}
	return each(rows, scan)
}

// each calls scan for every row, and closes them.
func each(rows *sql.Rows, scan func(scanner) error) error {
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return fail(rows.Err())
}
