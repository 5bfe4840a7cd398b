package sqlite

import (
	"context"
	"errors"
	"fmt"

	"zombiezen.com/go/sqlite"

	"linegate"
)

// role is what the connections of a pool are for.
type role struct {
	// settings are pragmas, which SQLite keeps by connection.
	settings []string

	// long is for statements that may take long and have too many texts to be kept
	// prepared. They end with their context, which costs a goroutine each.
	long bool
}

// commonSettings hold for every role that does not set them otherwise.
func commonSettings() []string {
	return []string{
		`foreign_keys = 1`,
		`cache_size = -8000`,            // KiB
		`journal_size_limit = 67108864`, // what the log shrinks to after a long list held it up
	}
}

// queryOnly is the setting of a role that writes nothing.
const queryOnly = `query_only = 1`

// pool lends its connections, each to one goroutine at a time.
type pool struct {
	free   chan *connection
	closed chan struct{}
}

var errClosed = fmt.Errorf("store is closed: %w", linegate.ErrUnavailable)

func openPool(ctx context.Context, path string, connections int, role role) (*pool, error) {
	p := &pool{free: make(chan *connection, connections), closed: make(chan struct{})}
	for range connections {
		c, err := connect(ctx, path, role)
		if err != nil {
			return nil, errors.Join(err, p.Close())
		}
		p.free <- c
	}
	return p, nil
}

// hold lends a connection to fn, and waits for one as long as ctx lets it.
func (p *pool) hold(ctx context.Context, fn func(*connection) error) error {
	c, err := p.take(ctx)
	if err != nil {
		return err
	}
	defer p.put(c)
	return fn(c)
}

func (p *pool) take(ctx context.Context) (*connection, error) {
	select {
	case <-p.closed: // though a connection may be free
		return nil, errClosed
	default:
	}
	select {
	case c := <-p.free:
		c.endWith(ctx.Done())
		return c, nil
	case <-p.closed:
		return nil, errClosed
	case <-ctx.Done():
		return nil, unavailable(ctx.Err())
	}
}

func (p *pool) put(c *connection) {
	c.endWith(nil)
	p.free <- c
	select {
	case <-p.closed:
		_ = p.closeFree() // Close has returned
	default:
	}
}

// Close closes the connections; one that is lent is closed when it comes back.
func (p *pool) Close() error {
	close(p.closed)
	return p.closeFree()
}

func (p *pool) closeFree() (err error) {
	for {
		select {
		case c := <-p.free:
			err = errors.Join(err, c.close())
		default:
			return err
		}
	}
}

// each calls scan for every row that a query finds.
func (p *pool) each(ctx context.Context, query string, scan func(scanner) error, args ...any) error {
	return p.hold(ctx, func(c *connection) error { return c.each(ctx, query, scan, args...) })
}

// row calls scan for the one row that a query finds; no row is linegate.ErrNotFound.
func (p *pool) row(ctx context.Context, query string, scan func(scanner) error, args ...any) error {
	return p.hold(ctx, func(c *connection) error { return c.row(ctx, query, scan, args...) })
}

// exec runs a statement that is not asked for rows.
func (p *pool) exec(ctx context.Context, query string, args ...any) error {
	return p.hold(ctx, func(c *connection) error { return c.exec(ctx, query, args...) })
}

// connect opens the database file for a role, which turns a new one to WAL when
// the role writes.
func connect(ctx context.Context, path string, role role) (*connection, error) {
	raw, err := sqlite.OpenConn(path, sqlite.OpenReadWrite, sqlite.OpenCreate)
	if err != nil {
		return nil, fail(err)
	}
	raw.SetBusyTimeout(0) // patiently waits
	c := &connection{raw: raw, long: role.long, prepared: make(map[string]*sqlite.Stmt)}
	for _, setting := range append(commonSettings(), role.settings...) {
		if err := c.exec(ctx, `PRAGMA `+setting); err != nil {
			return nil, errors.Join(err, c.close())
		}
	}
	return c, nil
}
