package linegate

import (
	"errors"
	"fmt"
	"strings"
)

// Sentinels that cross package borders; test for them with errors.Is.
var (
	// ErrNotFound: the named tenant, NAS, subscriber or session does not exist.
	ErrNotFound = errors.New("not found")
	// ErrConflict: the write would give two things one name or one address.
	ErrConflict = errors.New("conflict")
	// ErrUnavailable: the store can't be asked now; nothing is known about the
	// thing asked for, so no reject may be derived from it.
	ErrUnavailable = errors.New("store unavailable")
	// ErrOverloaded: a bounded queue is full; the caller drops and counts.
	ErrOverloaded = errors.New("overloaded")
	// ErrSpoolFull: the store is away and the disk space for what waits for it is
	// used up; nothing more can be acknowledged.
	ErrSpoolFull = errors.New("spool full")
)

// What calls to foreign systems end with. An error that is none of them counts as
// ErrOutcomeUnknown, which is the safe reading: the call is made again, and every
// call bears that.
var (
	// ErrRefused: the system says no, and will say no again. Nothing was done.
	ErrRefused = errors.New("refused")
	// ErrExhausted: the pool has nothing left. Nothing was done.
	ErrExhausted = errors.New("pool exhausted")
	// ErrUnsupported: the device can't do what was asked. Nothing was done.
	ErrUnsupported = errors.New("not supported")
	// ErrTryAgain: nothing was done, and later it may work.
	ErrTryAgain = errors.New("try again later")
	// ErrOutcomeUnknown: it may have been done; no answer tells.
	ErrOutcomeUnknown = errors.New("outcome unknown")
)

// FieldError says which field holds which value that is not allowed, and what
// is. Value is never a password or a secret.
type FieldError struct {
	Field   string // column or key name, e.g. service_vlan
	Value   string // as given
	Allowed string // e.g. "1 to 4094"
}

func (e *FieldError) Error() string {
	return fmt.Sprintf("%s: %q is not allowed: %s", e.Field, e.Value, e.Allowed)
}

// FieldErrors are all that is wrong with one thing, so that it can be mended in
// one go.
type FieldErrors []*FieldError

func (e FieldErrors) Error() string {
	lines := make([]string, len(e))
	for i, field := range e {
		lines[i] = field.Error()
	}
	return strings.Join(lines, "; ")
}

// Refuse adds a finding when something is wrong.
func (e *FieldErrors) Refuse(wrong bool, field string, value any, allowed string) {
	if wrong {
		*e = append(*e, &FieldError{Field: field, Value: fmt.Sprint(value), Allowed: allowed})
	}
}

// fieldErrors collects findings; err returns nil when there are none.
type fieldErrors struct{ found FieldErrors }

func (c *fieldErrors) add(field, value, allowed string) {
	c.found = append(c.found, &FieldError{Field: field, Value: value, Allowed: allowed})
}

func (c *fieldErrors) err() error {
	if len(c.found) == 0 {
		return nil
	}
	return c.found
}
