package postgres

import (
	"context"
	"fmt"
	"strconv"

	"github.com/jackc/pgx/v5"

	"linegate"
)

const (
	// channel carries, with the commit of each Update, the revision it came to.
	channel = "linegate_changes"

	notify = `SELECT pg_notify('` + channel + `', $1)`
)

// Changed implements store.Engine. It counts from what Feed last handed out, so
// that a commit between a Feed and the Changed that follows is not missed. Callers
// take turns on the one connection that listens.
func (s *Store) Changed(ctx context.Context) error {
	bound, cancel := s.until(ctx)
	defer cancel()
	err := s.awaitChange(bound)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	}
	return fmt.Errorf("wait for changes: %w", fail(err))
}

func (s *Store) awaitChange(ctx context.Context) error {
	seen := s.followed.Load()
	if seen < 0 {
		var err error
		if seen, err = s.Revision(ctx); err != nil {
			return err
		}
	}
	var conn *pgx.Conn
	select {
	case conn = <-s.listener:
	case <-ctx.Done():
		return ctx.Err()
	}
	conn, err := s.listen(ctx, conn, seen)
	if conn != nil && conn.IsClosed() {
		conn = nil
	}
	s.listener <- conn
	return err
}

// listen waits on conn, or on a fresh connection when it is nil, until the revision
// is above seen. The connection stays good when ctx ends.
func (s *Store) listen(ctx context.Context, conn *pgx.Conn, seen int64) (*pgx.Conn, error) {
	if conn == nil {
		var err error
		if conn, err = pgx.ConnectConfig(ctx, s.config); err != nil {
			return nil, err
		}
		if _, err := conn.Exec(ctx, "LISTEN "+channel); err != nil {
			return conn, errLost(ctx, conn, err)
		}
	}
	var newest int64
	if err := conn.QueryRow(ctx, revisionQuery).Scan(&newest); err != nil {
		return conn, errLost(ctx, conn, err)
	}
	for newest <= seen {
		told, err := conn.WaitForNotification(ctx)
		if err != nil {
			return conn, err // closes the connection unless it was ctx that ended
		}
		if newest, err = strconv.ParseInt(told.Payload, 10, 64); err != nil {
			return conn, fmt.Errorf("notification %q: %w", told.Payload, linegate.ErrUnavailable)
		}
	}
	return conn, nil
}

// errLost closes a connection on which a statement failed.
func errLost(ctx context.Context, conn *pgx.Conn, err error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveTimeout)
	defer cancel()
	_ = conn.Close(ctx)
	return err
}
