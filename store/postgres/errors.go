package postgres

import (
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"linegate"
)

// fail puts what the database said into Linegate's words and keeps the cause. All
// that is neither an answer nor a mistake in our SQL (no connection, a server that
// stops or is full, a lock that isn't released, an ended context) leaves the thing
// asked for unknown, which is linegate.ErrUnavailable; so does a COMMIT whose answer
// was lost.
func fail(err error) error {
	var said *pgconn.PgError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, pgx.ErrNoRows):
		return linegate.ErrNotFound
	case errors.Is(err, linegate.ErrNotFound), errors.Is(err, linegate.ErrConflict), errors.Is(err, linegate.ErrUnavailable):
		return err // in our words already
	case errors.As(err, &said):
		switch {
		case said.Code[:2] == "23": // integrity constraint
			return fmt.Errorf("%w: %w", linegate.ErrConflict, err)
		case !isOutage(said.Code):
			return err
		}
	}
	return fmt.Errorf("%w: %w", linegate.ErrUnavailable, err)
}

// Codes of PostgreSQL (appendix A of its manual) that are not the class of their
// own.
const (
	readOnly            = "25006" // after a fail-over: the server is a standby now
	idleInTransaction   = "25P03"
	lockNotAvailable    = "55P03"
	serializationFailed = "40001"
	deadlockDetected    = "40P01"
	checkViolated       = "23514"
)

// isOutage reports whether the code says something about the server's state and
// not about what it was asked.
func isOutage(code string) bool {
	switch code[:2] {
	case "08", // connection
		"28", "3D", // no access, no such database
		"40",             // transaction rolled back
		"53", "57", "58", // resources, operator (shutdown, cancel), system
		"XX": // internal, damage
		return true
	}
	return code == readOnly || code == idleInTransaction || code == lockNotAvailable
}

// code returns what the database answered, empty when it was not the database.
func code(err error) string {
	if said, ok := errors.AsType[*pgconn.PgError](err); ok {
		return said.Code
	}
	return ""
}
