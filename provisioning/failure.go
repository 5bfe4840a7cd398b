package provisioning

import (
	"context"
	"errors"
	"fmt"

	"linegate"
)

// failure is why a step could not be done, in the form in which it is recorded: a
// workflow that is taken up again must come to the same conclusion from it.
type failure struct {
	Kind failureKind
	Text string
}

type failureKind string

const (
	failRefused     failureKind = "refused"
	failExhausted   failureKind = "exhausted"
	failUnsupported failureKind = "unsupported"
	failNotFound    failureKind = "not found"
	failCancelled   failureKind = "cancelled"
	failTryAgain    failureKind = "try again"
	failUnknown     failureKind = "outcome unknown"
)

// errCancelled: somebody asked for the order to be undone.
var errCancelled = errors.New("cancelled")

// kinds are the sentinels in the order in which they count.
func kinds() []struct {
	sentinel error
	kind     failureKind
} {
	return []struct {
		sentinel error
		kind     failureKind
	}{
		{errCancelled, failCancelled},
		{linegate.ErrExhausted, failExhausted},
		{linegate.ErrUnsupported, failUnsupported},
		{linegate.ErrRefused, failRefused},
		{linegate.ErrConflict, failRefused},
		{linegate.ErrNotFound, failNotFound},
		{linegate.ErrTryAgain, failTryAgain},
		{linegate.ErrUnavailable, failTryAgain},
	}
}

// classify puts an error in the form that is recorded.
func classify(err error) *failure {
	var fields linegate.FieldErrors
	var field *linegate.FieldError
	if errors.As(err, &fields) || errors.As(err, &field) {
		return &failure{failRefused, err.Error()}
	}
	for _, known := range kinds() {
		if errors.Is(err, known.sentinel) {
			return &failure{known.kind, err.Error()}
		}
	}
	return &failure{failUnknown, err.Error()}
}

func (f *failure) Error() string { return f.Text }

// Is makes a recorded failure the sentinel that it was.
func (f *failure) Is(target error) bool {
	for _, known := range kinds() {
		if known.sentinel == target {
			return known.kind == f.Kind
		}
	}
	return target == linegate.ErrOutcomeUnknown && f.Kind == failUnknown
}

// passing reports whether the same call may go well later.
func (f *failure) passing() bool { return f.Kind == failTryAgain || f.Kind == failUnknown }

// interrupted ends a workflow in this process without ending it: the process
// stops, or could not write down what it did. Nothing is undone; whoever takes the
// workflow up goes on.
type interrupted struct{ cause error }

func (e *interrupted) Error() string { return fmt.Sprintf("interrupted: %v", e.cause) }
func (e *interrupted) Unwrap() error { return e.cause }

func isInterrupted(err error) bool {
	var stop *interrupted
	return errors.As(err, &stop)
}

// ended reports whether it is the caller's own context that ended.
func ended(ctx context.Context) bool { return ctx.Err() != nil }
