package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"linegate"
	"linegate/store/ledger"
)

// recorder keeps the batches it was given; answer, when set, decides their fate.
type recorder struct {
	mu      sync.Mutex
	batches [][]string
	answer  func(ctx context.Context, ids []string) error
}

func (r *recorder) RecordAccounting(ctx context.Context, events []linegate.AccountingEvent) error {
	var ids []string
	for _, event := range events {
		ids = append(ids, event.AcctSessionID)
	}
	if r.answer != nil {
		if err := r.answer(ctx, ids); err != nil {
			return err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.batches = append(r.batches, ids)
	return nil
}

func named(id string) linegate.AccountingEvent { return linegate.AccountingEvent{AcctSessionID: id} }

// outcomes collects what done was told, by event.
type outcomes struct {
	mu   sync.Mutex
	told map[string][]error
}

func (o *outcomes) of(id string) func(error) {
	return func(err error) {
		o.mu.Lock()
		defer o.mu.Unlock()
		if o.told == nil {
			o.told = make(map[string][]error)
		}
		o.told[id] = append(o.told[id], err)
	}
}

func record(t *testing.T, l *ledger.Ledger, o *outcomes, ids ...string) {
	t.Helper()
	for _, id := range ids {
		require.NoError(t, l.Record(named(id), o.of(id)))
	}
}

// run starts the ledger and returns a function that ends it and waits.
func run(t *testing.T, l *ledger.Ledger) (end func()) {
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- l.Run(ctx) }()
	return func() {
		cancel()
		require.NoError(t, <-ended)
	}
}

func TestEventsThatComeDuringACommitShareTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		r := &recorder{answer: func(context.Context, []string) error { <-release; return nil }}
		l := ledger.New(r, ledger.Options{MaxBatch: 3})
		end := run(t, l)
		var o outcomes
		record(t, l, &o, "a")
		synctest.Wait()
		record(t, l, &o, "b", "c", "d", "e")
		synctest.Wait()
		assert.Equal(t, 4, l.Depth())
		assert.Empty(t, o.told, "nothing is durable yet")
		close(release)
		synctest.Wait()
		assert.Equal(t, [][]string{{"a"}, {"b", "c", "d"}, {"e"}}, r.batches)
		assert.Equal(t, map[string][]error{"a": {nil}, "b": {nil}, "c": {nil}, "d": {nil}, "e": {nil}}, o.told)
		assert.Zero(t, l.Depth())
		end()
	})
}

func TestAFullQueueRefusesAtOnce(t *testing.T) {
	l := ledger.New(&recorder{}, ledger.Options{QueueSize: 2})
	var o outcomes
	record(t, l, &o, "a", "b")
	assert.ErrorIs(t, l.Record(named("c"), o.of("c")), linegate.ErrOverloaded)
	assert.Equal(t, 2, l.Depth())
	end := run(t, l)
	end()
	assert.Equal(t, map[string][]error{"a": {nil}, "b": {nil}}, o.told, "what was refused is told nothing")
}

func TestTheEndOfTheContextCommitsWhatIsQueued(t *testing.T) {
	r := &recorder{answer: func(ctx context.Context, _ []string) error { return ctx.Err() }}
	l := ledger.New(r, ledger.Options{MaxBatch: 10})
	var o outcomes
	for i := range 95 {
		record(t, l, &o, fmt.Sprint(i))
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.NoError(t, l.Run(ctx))
	require.Len(t, o.told, 95)
	for id, told := range o.told {
		assert.Equal(t, []error{nil}, told, id)
	}
	assert.ErrorIs(t, l.Record(named("late"), o.of("late")), linegate.ErrUnavailable)
	assert.NotContains(t, o.told, "late")
}

func TestAStoreThatIsAwayIsTriedAgain(t *testing.T) {
	away := fmt.Errorf("disk: %w", linegate.ErrUnavailable)
	synctest.Test(t, func(t *testing.T) {
		tries := 0
		r := &recorder{answer: func(context.Context, []string) error {
			if tries++; tries <= 3 {
				return away
			}
			return nil
		}}
		l := ledger.New(r, ledger.Options{})
		var o outcomes
		record(t, l, &o, "a", "b")
		end := run(t, l)
		time.Sleep(time.Minute) // in the bubble's own time
		end()
		assert.Equal(t, [][]string{{"a", "b"}}, r.batches)
		assert.Equal(t, map[string][]error{"a": {nil}, "b": {nil}}, o.told)
		assert.Equal(t, 4, tries)
	})
	synctest.Test(t, func(t *testing.T) {
		tries, began := 0, time.Now()
		var gaveUp time.Duration
		r := &recorder{answer: func(context.Context, []string) error { tries++; return away }}
		l := ledger.New(r, ledger.Options{})
		end := run(t, l)
		told := make(chan error, 1)
		require.NoError(t, l.Record(named("a"), func(err error) { gaveUp = time.Since(began); told <- err }))
		assert.ErrorIs(t, <-told, linegate.ErrUnavailable)
		assert.Equal(t, 8, tries)
		assert.Equal(t, 1270*time.Millisecond, gaveUp)
		end()
	})
}

func TestOneBadEventDoesNotSinkItsNeighbours(t *testing.T) {
	bad := errors.New("row too strange")
	r := &recorder{answer: func(_ context.Context, ids []string) error {
		for _, id := range ids {
			if id == "bad" {
				return bad
			}
		}
		return nil
	}}
	l := ledger.New(r, ledger.Options{})
	var o outcomes
	record(t, l, &o, "a", "bad", "b")
	run(t, l)()
	assert.Equal(t, [][]string{{"a"}, {"b"}}, r.batches)
	assert.Equal(t, map[string][]error{"a": {nil}, "bad": {bad}, "b": {nil}}, o.told)
}

func TestAStoreThatGoesAwayAmongSingleEventsFailsTheRestAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tries := 0
		r := &recorder{answer: func(_ context.Context, ids []string) error {
			switch {
			case len(ids) > 1:
				return errors.New("something in here is bad")
			case ids[0] == "a":
				return nil
			}
			tries++
			return linegate.ErrUnavailable
		}}
		l := ledger.New(r, ledger.Options{})
		var o outcomes
		record(t, l, &o, "a", "b", "c", "d")
		run(t, l)()
		assert.Equal(t, 8, tries, "only b was tried")
		assert.Equal(t, map[string][]error{"a": {nil}, "b": {linegate.ErrUnavailable},
			"c": {linegate.ErrUnavailable}, "d": {linegate.ErrUnavailable}}, o.told)
	})
}

func TestShuttingDownGivesUpOnAStoreThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{answer: func(ctx context.Context, _ []string) error {
			<-ctx.Done()
			return fmt.Errorf("%w: %w", linegate.ErrUnavailable, ctx.Err())
		}}
		l := ledger.New(r, ledger.Options{MaxBatch: 1})
		end := run(t, l)
		var o outcomes
		record(t, l, &o, "a", "b")
		synctest.Wait()
		began := time.Now()
		end()
		assert.Equal(t, 10*time.Second, time.Since(began))
		for _, id := range []string{"a", "b"} {
			require.Len(t, o.told[id], 1)
			assert.ErrorIs(t, o.told[id][0], linegate.ErrUnavailable)
		}
	})
}

func TestEveryEventOfManySendersIsToldExactlyOnce(t *testing.T) {
	const senders, each = 8, 500
	l := ledger.New(&recorder{}, ledger.Options{QueueSize: 100, MaxBatch: 16})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- l.Run(ctx) }()
	var (
		o       outcomes
		mu      sync.Mutex
		taken   = map[string]bool{}
		sending sync.WaitGroup
	)
	for sender := range senders {
		sending.Go(func() {
			for i := range each {
				id := fmt.Sprintf("%d-%d", sender, i)
				if l.Record(named(id), o.of(id)) == nil {
					mu.Lock()
					taken[id] = true
					mu.Unlock()
				}
				if sender == 0 && i == each/2 {
					cancel() // some are refused from here on
				}
			}
		})
	}
	sending.Wait()
	require.NoError(t, <-ended)
	assert.Len(t, o.told, len(taken))
	for id, told := range o.told {
		assert.True(t, taken[id])
		assert.Equal(t, []error{nil}, told, id)
	}
}
