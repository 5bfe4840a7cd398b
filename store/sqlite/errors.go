package sqlite

import (
	"database/sql"
	"errors"
	"fmt"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"linegate"
)

// fail puts what the database said into Linegate's words and keeps the cause. All
// that is neither an answer nor a mistake in our SQL (a lock that isn't released,
// a full or broken disk, a closed store, an ended context) leaves the thing asked
// for unknown, which is linegate.ErrUnavailable.
func fail(err error) error {
	var said *sqlite.Error
	switch {
	case err == nil:
		return nil
	case errors.Is(err, sql.ErrNoRows):
		return linegate.ErrNotFound
	case errors.Is(err, linegate.ErrNotFound), errors.Is(err, linegate.ErrConflict), errors.Is(err, linegate.ErrUnavailable):
		return err // in our words already
	case errors.As(err, &said):
		switch said.Code() & 0xff { // the primary code
		case sqlite3.SQLITE_CONSTRAINT:
			return fmt.Errorf("%w: %w", linegate.ErrConflict, err)
		case sqlite3.SQLITE_ERROR, sqlite3.SQLITE_MISUSE, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_RANGE:
			return err
		}
	}
	return fmt.Errorf("%w: %w", linegate.ErrUnavailable, err)
}

// isBusy reports whether another connection's lock was in the way.
func isBusy(err error) bool {
	var said *sqlite.Error
	return errors.As(err, &said) && said.Code()&0xff == sqlite3.SQLITE_BUSY
}
