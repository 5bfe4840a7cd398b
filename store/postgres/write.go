package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Locks that transactions take from each other, on all nodes (advisory locks of two
// numbers, of which this is the first). In one transaction they are taken in this
// order.
const (
	lockSchema      int32 = 0x4c470001 // the second number is 0
	lockUpdate      int32 = 0x4c470002 // the second number is 0
	lockNAS         int32 = 0x4c470003 // the second number is bucketOf
	lockSubscribers int32 = 0x4c470004 // the second number is bucketOf
	lockParts       int32 = 0x4c470005 // the second number is 0
	lockVLAN        int32 = 0x4c470006 // the second number is 0

	takeLock = `SELECT pg_advisory_xact_lock($1, $2)`
)

// writing is one write transaction.
type writing struct {
	ctx    context.Context
	tx     pgx.Tx
	failed error // the first statement that failed; the transaction can't commit any more
}

// write runs fn in one transaction on a connection of the pool.
func (s *Store) write(ctx context.Context, pool *pgxpool.Pool, fn func(*writing) error) error {
	ctx, cancel := s.until(ctx)
	defer cancel()
	tx, err := pool.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.ReadCommitted})
	if err != nil {
		return fmt.Errorf("begin: %w", fail(err))
	}
	w := &writing{ctx: ctx, tx: tx}
	defer w.leave()
	if err := fn(w); err != nil {
		return err
	}
	if w.failed != nil {
		return w.failed
	}
	if err := tx.Commit(ctx); err != nil {
		return fmt.Errorf("commit: %w", fail(err))
	}
	return nil
}

// leave takes back what was not committed. A connection to a server that only reads
// is closed, so that the next one looks for the server that writes.
func (w *writing) leave() {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(w.ctx), leaveTimeout)
	defer cancel()
	if code(w.failed) == readOnly {
		_ = w.tx.Conn().Close(ctx)
	}
	_ = w.tx.Rollback(ctx) // does nothing after Commit
}

// recordAttempts bound how often a transaction is tried that another one kept from
// going on.
const recordAttempts = 3

// repeatedly is write for what may be done again: it is when PostgreSQL ended the
// transaction in favour of another.
func (s *Store) repeatedly(ctx context.Context, pool *pgxpool.Pool, fn func(*writing) error) (err error) {
	for range recordAttempts {
		err = s.write(ctx, pool, fn)
		if said := code(err); said != serializationFailed && said != deadlockDetected {
			return err
		}
	}
	return err
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
	result, err := w.tx.Exec(w.ctx, query, args...)
	if err != nil {
		return 0, w.fail(err)
	}
	return result.RowsAffected(), nil
}

// execAll runs statements in order, all of them in one round trip.
func (w *writing) execAll(statements []statement) error {
	_, err := w.execAllCounted(statements)
	return err
}

// execAllCounted returns how many rows each statement changed.
func (w *writing) execAllCounted(statements []statement) ([]int64, error) {
	batch := &pgx.Batch{}
	rows := make([]int64, len(statements))
	for i, s := range statements {
		batch.Queue(s.query, s.args...).Exec(func(result pgconn.CommandTag) error {
			rows[i] = result.RowsAffected()
			return nil
		})
	}
	if err := w.tx.SendBatch(w.ctx, batch).Close(); err != nil {
		return nil, w.fail(err)
	}
	return rows, nil
}

// row reads one row into columns; no row is linegate.ErrNotFound.
func (w *writing) row(columns []any, query string, args ...any) error {
	err := w.tx.QueryRow(w.ctx, query, args...).Scan(columns...)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return w.fail(err)
	}
	return fail(err)
}

// each calls scan for every row.
func (w *writing) each(scan func(scanner) error, query string, args ...any) error {
	rows, err := w.tx.Query(w.ctx, query, args...)
	if err != nil {
		return w.fail(err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return w.fail(err)
		}
	}
	if err := rows.Err(); err != nil {
		return w.fail(err)
	}
	return nil
}

// copyIn adds so many rows to a table; row gives the values of each.
func (w *writing) copyIn(table, columns string, rows int, row func(int) []any) error {
	if rows == 0 {
		return nil
	}
	source := pgx.CopyFromSlice(rows, func(i int) ([]any, error) { return row(i), nil })
	if _, err := w.tx.CopyFrom(w.ctx, pgx.Identifier{table}, strings.Split(columns, ", "), source); err != nil {
		return w.fail(err)
	}
	return nil
}
