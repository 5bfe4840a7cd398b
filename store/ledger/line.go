package ledger

import (
	"context"
	"fmt"
	"time"

	"linegate"
)

// line is the way to a Recorder that may hang: one call at a time, and nobody
// waits for it longer than he said. A call that ignores the end of its context
// goes on alone, and keeps the line busy until it is through.
type line struct {
	recorder Recorder
	busy     chan struct{} // holds a token while a call is under way
}

func newLine(recorder Recorder) *line {
	return &line{recorder: recorder, busy: make(chan struct{}, 1)}
}

// record asks the recorder, and says linegate.ErrUnavailable when there was no
// answer within the limit. Then the events may be recorded nevertheless.
func (l *line) record(ctx context.Context, limit time.Duration, events []linegate.AccountingEvent) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	select {
	case l.busy <- struct{}{}:
	case <-ctx.Done():
		return fmt.Errorf("an earlier call of the store still hangs: %w", linegate.ErrUnavailable)
	}
	answer := make(chan error, 1)
	go func() {
		defer l.free()
		answer <- l.recorder.RecordAccounting(ctx, events)
	}()
	select {
	case err := <-answer:
		return unavailableAfter(ctx, err)
	case <-ctx.Done():
		return fmt.Errorf("no answer of the store in %v: %w", limit, linegate.ErrUnavailable)
	}
}

// unavailableAfter takes an error that came when time was up for a lack of time,
// whatever the recorder calls it.
func unavailableAfter(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("%w: %w", linegate.ErrUnavailable, err)
	}
	return err
}

func (l *line) free() { <-l.busy }

// hangUp waits for a call under way, at most so long.
func (l *line) hangUp(limit time.Duration) {
	select {
	case l.busy <- struct{}{}:
		l.free()
	case <-time.After(limit):
	}
}
