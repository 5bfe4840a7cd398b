package sqlite

import (
	"context"
	"time"

	"zombiezen.com/go/sqlite"

	"linegate"
)

// busyTimeout is how long a lock is waited for; a large import by another process
// takes some.
const busyTimeout = 30 * time.Second

// connection belongs to one goroutine at a time: SQLite opens it without a lock of
// its own.
type connection struct {
	raw  *sqlite.Conn
	long bool // see role

	// prepared are the statements by their text. Those that raw would keep lose their
	// arguments before they are given again, after which SQLite plans many anew.
	prepared map[string]*sqlite.Stmt
}

func (c *connection) close() error {
	for _, statement := range c.prepared {
		_ = statement.Finalize() // tells again what its last step told
	}
	return c.raw.Close()
}

// endWith has the statements of a long connection end when the channel closes; nil
// never does.
func (c *connection) endWith(done <-chan struct{}) {
	if c.long {
		c.raw.SetInterrupt(done)
	}
}

// each calls scan for every row that a query finds.
func (c *connection) each(ctx context.Context, query string, scan func(scanner) error, args ...any) error {
	statement, found, err := c.start(ctx, query, args)
	if err != nil {
		return err
	}
	defer c.end(statement)
	for found {
		if err := scan(row{statement}); err != nil {
			return err
		}
		if found, err = statement.Step(); err != nil {
			return failWith(ctx, err)
		}
	}
	return nil
}

// row calls scan for the one row that a query finds; no row is linegate.ErrNotFound.
func (c *connection) row(ctx context.Context, query string, scan func(scanner) error, args ...any) error {
	statement, found, err := c.start(ctx, query, args)
	if err != nil {
		return err
	}
	defer c.end(statement)
	if !found {
		return linegate.ErrNotFound
	}
	return scan(row{statement})
}

// exec runs a statement that is not asked for rows.
func (c *connection) exec(ctx context.Context, query string, args ...any) error {
	return c.each(ctx, query, func(scanner) error { return nil }, args...)
}

// start runs a statement up to its first row. It has to be ended, unless it failed.
func (c *connection) start(ctx context.Context, query string, args []any) (statement *sqlite.Stmt, found bool, err error) {
	err = patiently(ctx, func() (err error) {
		if statement, err = c.prepare(query); err != nil {
			return err
		}
		if err = bind(statement, args); err == nil {
			found, err = statement.Step()
		}
		if err != nil {
			c.end(statement)
		}
		return err
	})
	return statement, found, err
}

func (c *connection) prepare(query string) (statement *sqlite.Stmt, err error) {
	if statement = c.prepared[query]; statement != nil {
		return statement, nil
	}
	statement, _, err = c.raw.PrepareTransient(query)
	if err == nil && !c.long {
		c.prepared[query] = statement
	}
	return statement, err
}

// end lets go of the rows that a statement has not given yet. What went wrong with
// it, its last step has told.
func (c *connection) end(statement *sqlite.Stmt) {
	if c.long {
		_ = statement.Finalize()
	} else {
		_ = statement.Reset()
	}
}

// patiently does something again while another's lock is in the way, as long as ctx
// and the busy timeout let it. SQLite would wait too, but watches no context.
func patiently(ctx context.Context, do func() error) error {
	var waited time.Duration
	for pause := time.Millisecond; ; pause = min(2*pause, 32*time.Millisecond) {
		if err := ctx.Err(); err != nil {
			return unavailable(err)
		}
		err := do()
		if !isBusy(err) || waited >= busyTimeout {
			return failWith(ctx, err)
		}
		select {
		case <-time.After(pause):
			waited += pause
		case <-ctx.Done():
			return failWith(ctx, err)
		}
	}
}
