package sqlite

import (
	"context"
	"fmt"

	"zombiezen.com/go/sqlite"

	"linegate"
)

// fail puts what SQLite said into Linegate's words and keeps the cause. All that is
// neither an answer nor a mistake in our SQL (a lock that isn't released, a full or
// broken disk, a statement that was interrupted) leaves the thing asked for unknown.
func fail(err error) error {
	switch sqlite.ErrCode(err).ToPrimary() {
	case sqlite.ResultOK:
		return nil
	case sqlite.ResultConstraint:
		return fmt.Errorf("%w: %w", linegate.ErrConflict, err)
	case sqlite.ResultError, sqlite.ResultMisuse, sqlite.ResultMismatch, sqlite.ResultRange:
		return err
	}
	return unavailable(err)
}

// failWith is fail for what was done as long as ctx let it.
func failWith(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return unavailable(fmt.Errorf("%w: %w", ctx.Err(), err))
	}
	return fail(err)
}

// unavailable is the error for what is left unknown.
func unavailable(err error) error { return fmt.Errorf("%w: %w", linegate.ErrUnavailable, err) }

// isBusy reports whether another connection's lock was in the way.
func isBusy(err error) bool { return sqlite.ErrCode(err).ToPrimary() == sqlite.ResultBusy }
