package ledger_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"linegate"
	"linegate/store/ledger"
)

// memorySpool is a Spool without a disk.
type memorySpool struct {
	mu       sync.Mutex
	events   []linegate.AccountingEvent
	read     int
	aside    []string
	failed   error  // of the next call of Append, Release or SetAside
	readable error  // of Read, while it is set
	emptied  func() // called, once, when Read has found nothing
}

func (s *memorySpool) fail() (err error) {
	err, s.failed = s.failed, nil
	return err
}

func (s *memorySpool) Append(events []linegate.AccountingEvent) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.fail(); err != nil {
		return err
	}
	s.events = append(s.events, events...)
	return nil
}

func (s *memorySpool) Read(limit int) ([]linegate.AccountingEvent, error) {
	s.mu.Lock()
	s.read = min(limit, len(s.events))
	events, err, emptied := slices.Clone(s.events[:s.read]), s.readable, s.emptied
	s.mu.Unlock()
	if len(events) == 0 && emptied != nil {
		s.emptied = nil
		emptied()
	}
	return events, err
}

func (s *memorySpool) Release(count int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.fail(); err != nil {
		return err
	}
	s.events = s.events[min(count, s.read):]
	return nil
}

func (s *memorySpool) SetAside(event *linegate.AccountingEvent, _ error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.fail(); err != nil {
		return err
	}
	s.aside = append(s.aside, event.AcctSessionID)
	return nil
}

func (s *memorySpool) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.events)
}

var errAway = fmt.Errorf("connection refused: %w", linegate.ErrUnavailable)

// recorded returns what a recorder holds, in order; what came twice counts where
// it came first.
func (r *recorder) recorded() (ids []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	seen := map[string]bool{}
	for _, id := range slices.Concat(r.batches...) {
		if !seen[id] {
			ids = append(ids, id)
		}
		seen[id] = true
	}
	return ids
}

func numberedIDs(count int) (ids []string) {
	for i := range count {
		ids = append(ids, fmt.Sprint(i))
	}
	return ids
}

func TestWhileTheStoreIsAwayEventsWaitInTheSpoolAndComeInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var away atomic.Bool
		var asked atomic.Int32
		away.Store(true)
		r := &recorder{answer: func(context.Context, []string) error {
			if asked.Add(1); away.Load() {
				return errAway
			}
			return nil
		}}
		spool, log := &memorySpool{}, &bytes.Buffer{}
		l := ledger.New(r, ledger.Options{Spool: spool, Logger: slog.New(slog.NewTextHandler(log, nil))})
		end := run(t, l)
		var o outcomes
		began := time.Now()
		for _, id := range numberedIDs(100) {
			record(t, l, &o, id)
			synctest.Wait()
			require.Equal(t, []error{nil}, o.told[id], "acknowledged, since it is on disk")
		}
		assert.Zero(t, time.Since(began), "a store that is known to be away is not waited for")
		assert.EqualValues(t, 1, asked.Load())
		assert.Equal(t, 100, spool.Len())

		away.Store(false)
		time.Sleep(time.Second)
		synctest.Wait()
		assert.Equal(t, numberedIDs(100), r.recorded())
		assert.Equal(t, [][]string{numberedIDs(64), numberedIDs(100)[64:]}, r.batches, "a small batch to try, then larger ones")
		record(t, l, &o, "direct")
		synctest.Wait()
		assert.Equal(t, []string{"direct"}, r.batches[2])
		assert.Zero(t, spool.Len())
		assert.Equal(t, 1, strings.Count(log.String(), "goes to the spool"))
		assert.Equal(t, 1, strings.Count(log.String(), "goes to the store again"))
		assert.Contains(t, log.String(), "spooled=100 replayed=100")
		end()
	})
}

// A frozen database may ignore the end of the context too.
func TestAStoreThatHangsDelaysNobodyLongerThanTheBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		thaw := make(chan struct{})
		var calls, atOnce atomic.Int32
		r := &recorder{answer: func(context.Context, []string) error {
			calls.Add(1)
			assert.EqualValues(t, 1, atOnce.Add(1), "one call at a time")
			defer atOnce.Add(-1)
			<-thaw
			return nil
		}}
		l := ledger.New(r, ledger.Options{Spool: &memorySpool{}})
		end := run(t, l)
		var o outcomes
		began := time.Now()
		told := make(chan time.Duration, 1)
		require.NoError(t, l.Record(named("0"), func(err error) { assert.NoError(t, err); told <- time.Since(began) }))
		assert.Equal(t, 200*time.Millisecond, <-told)
		for i := range 49 {
			record(t, l, &o, fmt.Sprint(i+1))
			time.Sleep(time.Second)
			synctest.Wait()
			require.Equal(t, []error{nil}, o.told[fmt.Sprint(i+1)])
		}
		assert.EqualValues(t, 1, calls.Load())
		close(thaw)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		assert.Equal(t, numberedIDs(50), r.recorded(), "the late answer and the replay are one")
		end()
	})
}

func TestAStoreThatAnswersTooLateIsAwayWhateverItSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var slow atomic.Bool
		slow.Store(true)
		r := &recorder{answer: func(ctx context.Context, _ []string) error {
			if slow.Load() {
				<-ctx.Done()
				return errors.New("interrupted")
			}
			return nil
		}}
		spool := &memorySpool{}
		l := ledger.New(r, ledger.Options{Spool: spool})
		end := run(t, l)
		var o outcomes
		record(t, l, &o, "a")
		time.Sleep(time.Minute)
		synctest.Wait()
		assert.Empty(t, spool.aside)
		slow.Store(false)
		time.Sleep(time.Minute)
		synctest.Wait()
		assert.Equal(t, []string{"a"}, r.recorded())
		end()
	})
}

func TestAnEventThatComesWhenTheLastIsReplayedIsReplayedToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var away atomic.Bool
		away.Store(true)
		r := &recorder{answer: func(context.Context, []string) error {
			if away.CompareAndSwap(true, false) {
				return errAway
			}
			return nil
		}}
		spool := &memorySpool{}
		l := ledger.New(r, ledger.Options{Spool: spool})
		spool.emptied = func() {
			told := make(chan error)
			assert.NoError(t, l.Record(named("b"), func(err error) { told <- err }))
			assert.NoError(t, <-told)
		}
		end := run(t, l)
		var o outcomes
		record(t, l, &o, "a")
		time.Sleep(time.Minute)
		synctest.Wait()
		assert.Equal(t, []string{"a", "b"}, r.recorded())
		assert.Zero(t, spool.Len())
		end()
	})
}

func TestAnEventThatTheStoreRefusesIsSetAsideInTheReplay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var away atomic.Bool
		var calls atomic.Int32
		away.Store(true)
		r := &recorder{answer: func(_ context.Context, ids []string) error {
			calls.Add(1)
			if away.Load() {
				return errAway
			}
			if slices.Contains(ids, "17") || slices.Contains(ids, "40") {
				return errors.New("row too strange")
			}
			return nil
		}}
		spool, log := &memorySpool{}, &bytes.Buffer{}
		l := ledger.New(r, ledger.Options{Spool: spool, Logger: slog.New(slog.NewTextHandler(log, nil))})
		end := run(t, l)
		var o outcomes
		record(t, l, &o, numberedIDs(64)...)
		synctest.Wait()
		away.Store(false)
		calls.Store(0)
		time.Sleep(time.Minute)
		synctest.Wait()
		assert.Equal(t, []string{"17", "40"}, spool.aside)
		expected := slices.DeleteFunc(numberedIDs(64), func(id string) bool { return id == "17" || id == "40" })
		assert.Equal(t, expected, r.recorded())
		assert.Less(t, calls.Load(), int32(30), "halving finds them")
		assert.Zero(t, spool.Len())
		assert.Equal(t, 2, strings.Count(log.String(), "it is set aside"))
		end()
	})
}

func TestAFullOrBrokenSpoolAcknowledgesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{answer: func(context.Context, []string) error { return errAway }}
		spool, log := &memorySpool{}, &bytes.Buffer{}
		l := ledger.New(r, ledger.Options{Spool: spool, Logger: slog.New(slog.NewTextHandler(log, nil))})
		end := run(t, l)
		var o outcomes
		for id, failure := range map[string]error{"a": linegate.ErrSpoolFull, "b": errors.New("disk is broken")} {
			spool.mu.Lock()
			spool.failed = failure
			spool.mu.Unlock()
			record(t, l, &o, id)
			synctest.Wait()
			require.Len(t, o.told[id], 1)
			assert.ErrorIs(t, o.told[id][0], failure)
			assert.ErrorIs(t, o.told[id][0], linegate.ErrUnavailable)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		assert.Empty(t, log.String(), "it was not used")
		record(t, l, &o, "c")
		synctest.Wait()
		assert.Equal(t, []error{nil}, o.told["c"])
		end()
		assert.Equal(t, 1, spool.Len())
	})
}

func TestASpoolThatCantBeReplayedIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var away atomic.Bool
		away.Store(true)
		r := &recorder{answer: func(_ context.Context, ids []string) error {
			switch {
			case away.Load():
				return errAway
			case slices.Contains(ids, "bad"):
				return errors.New("row too strange")
			}
			return nil
		}}
		spool, log := &memorySpool{readable: errors.New("can't read")}, &bytes.Buffer{}
		l := ledger.New(r, ledger.Options{Spool: spool, Logger: slog.New(slog.NewTextHandler(log, nil))})
		end := run(t, l)
		var o outcomes
		record(t, l, &o, "a", "bad", "b")
		time.Sleep(2 * time.Second)
		synctest.Wait()
		assert.Contains(t, log.String(), "can't read")
		spool.mu.Lock()
		spool.readable, spool.failed = nil, errors.New("can't set aside")
		spool.mu.Unlock()
		away.Store(false)
		time.Sleep(time.Minute)
		synctest.Wait()
		assert.Contains(t, log.String(), "can't set aside")
		assert.Equal(t, []string{"a", "b"}, r.recorded())
		assert.Equal(t, []string{"bad"}, spool.aside)
		assert.Zero(t, spool.Len())
		end()
	})
}

func TestWhatIsInTheSpoolAtTheEndIsReplayedFirstAfterTheNextStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var away atomic.Bool
		away.Store(true)
		r := &recorder{answer: func(context.Context, []string) error {
			if away.Load() {
				return errAway
			}
			return nil
		}}
		spool := &memorySpool{}
		l := ledger.New(r, ledger.Options{Spool: spool, MaxBatch: 2})
		var o outcomes
		record(t, l, &o, numberedIDs(9)...)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		require.NoError(t, l.Run(ctx), "what is queued is spooled")
		assert.Len(t, o.told, 9)
		assert.Equal(t, 9, spool.Len())

		away.Store(false)
		l = ledger.New(r, ledger.Options{Spool: spool})
		end := run(t, l)
		record(t, l, &o, "9")
		time.Sleep(time.Second)
		synctest.Wait()
		assert.Equal(t, numberedIDs(10), r.recorded())
		for id, told := range o.told {
			assert.Equal(t, []error{nil}, told, id)
		}
		end()
	})
}

func TestAHangingStoreHoldsUpTheShutdownForABoundedTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		thaw := make(chan struct{})
		r := &recorder{answer: func(context.Context, []string) error { <-thaw; return nil }}
		spool := &memorySpool{}
		l := ledger.New(r, ledger.Options{Spool: spool})
		end := run(t, l)
		var o outcomes
		record(t, l, &o, "a")
		time.Sleep(time.Second)
		synctest.Wait()
		began := time.Now()
		end()
		assert.Equal(t, 10*time.Second, time.Since(began))
		assert.Equal(t, 1, spool.Len())
		close(thaw)
	})
}

// A model: whatever the store does, what was acknowledged is recorded or set aside
// in the end, in the order it came.
func TestAnyBehaviourOfTheStoreKeepsOrderAndLosesNothing(t *testing.T) {
	for seed := range uint64(30) {
		synctest.Test(t, func(t *testing.T) { playStore(t, rand.New(rand.NewPCG(seed, 2))) })
	}
}

func playStore(t *testing.T, random *rand.Rand) {
	var mood int
	var mu sync.Mutex
	r := &recorder{answer: func(ctx context.Context, ids []string) error {
		mu.Lock()
		now, duration := mood, time.Duration(random.IntN(300))*time.Millisecond
		mu.Unlock()
		switch now {
		case 1:
			return errAway
		case 2: // hangs, minds the context
			<-ctx.Done()
			return ctx.Err()
		case 3: // slow, does not mind it, and succeeds at last
			time.Sleep(10 * duration)
		case 4: // near the bound
			time.Sleep(duration)
		}
		if slices.ContainsFunc(ids, func(id string) bool { return strings.HasSuffix(id, "13") }) {
			return errors.New("row too strange")
		}
		return nil
	}}
	spool := &memorySpool{}
	l := ledger.New(r, ledger.Options{Spool: spool, MaxBatch: 10})
	end := run(t, l)
	var o outcomes
	sent := numberedIDs(600)
	for i, id := range sent {
		record(t, l, &o, id)
		mu.Lock()
		if i%20 == 0 {
			mood = random.IntN(5)
		}
		pause := time.Duration(random.IntN(400)) * time.Millisecond
		mu.Unlock()
		time.Sleep(pause)
	}
	mu.Lock()
	mood = 0
	mu.Unlock()
	time.Sleep(time.Minute)
	synctest.Wait()
	end()

	require.Zero(t, spool.Len())
	var kept []string
	for _, id := range sent {
		require.Len(t, o.told[id], 1)
		switch {
		case o.told[id][0] != nil: // refused before it got into the spool, and not acknowledged
			require.True(t, strings.HasSuffix(id, "13"), id)
		case strings.HasSuffix(id, "13"):
			require.Contains(t, spool.aside, id)
		default:
			kept = append(kept, id)
		}
	}
	require.Equal(t, kept, r.recorded())
}

// Senders who send as soon as they are answered: the disk would answer them faster
// than the store takes what is replayed.
func TestTheSpoolIsEmptiedUnderSendersThatNeverRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var away atomic.Bool
		away.Store(true)
		var longest int
		r := &recorder{answer: func(_ context.Context, ids []string) error {
			if away.Load() {
				return errAway
			}
			longest = max(longest, len(ids))
			time.Sleep(time.Duration(len(ids)) * 2 * time.Millisecond)
			return nil
		}}
		spool := &memorySpool{}
		l := ledger.New(r, ledger.Options{Spool: spool})
		end := run(t, l)
		const most = 100_000
		sent, backAt := 0, 1000
		var send func(error)
		send = func(err error) {
			assert.NoError(t, err)
			time.Sleep(time.Millisecond)
			away.Store(sent < backAt)
			if sent < backAt || sent < most && spool.Len() > 0 {
				sent++
				require.NoError(t, l.Record(named(fmt.Sprint(sent-1)), send))
			}
		}
		send(nil)
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		assert.Zero(t, spool.Len())
		assert.Less(t, sent, most)
		assert.Equal(t, numberedIDs(sent), r.recorded(), "each once, in order")
		assert.Less(t, longest, 2048, "a batch that takes long makes the next smaller")
		end()
	})
}
