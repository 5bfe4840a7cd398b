package bookkeeper

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"linegate"
	"linegate/store"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// fakeRecorder adds up what it is told, as an engine does.
type fakeRecorder struct {
	mu      sync.Mutex
	err     error
	records map[string]store.ValidationRecord
	batches []int
	calls   chan error // result of each call
	during  func()     // called while a record is being written
}

func newFakeRecorder() *fakeRecorder {
	return &fakeRecorder{records: make(map[string]store.ValidationRecord), calls: make(chan error, 1<<16)}
}

func (r *fakeRecorder) RecordValidations(ctx context.Context, checks []store.ValidationRecord) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.during != nil {
		r.during()
	}
	err := r.err
	if err == nil {
		err = ctx.Err()
	}
	if err == nil {
		r.batches = append(r.batches, len(checks))
		for _, check := range checks {
			check.Mismatches += r.records[check.SubscriberID].Mismatches
			r.records[check.SubscriberID] = check
		}
	}
	r.calls <- err
	return err
}

func (r *fakeRecorder) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.err = err
}

func (r *fakeRecorder) record(id string) store.ValidationRecord {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.records[id]
}

// start runs the bookkeeper; stop ends it and returns what Run returned.
func start(t *testing.T, b *Bookkeeper) (stop func() error) {
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- b.Run(ctx) }()
	return func() error {
		cancel()
		return <-ended
	}
}

func TestNotesOfOneSubscriberAreMerged(t *testing.T) {
	type check struct {
		after  time.Duration
		result linegate.Option82Result
	}
	tests := []struct {
		name   string
		checks []check
		want   store.ValidationRecord
	}{
		{"a match adds no mismatch", []check{{0, linegate.Option82Match}},
			store.ValidationRecord{SubscriberID: "a", LastAt: noon, LastResult: linegate.Option82Match}},
		{"missing is no mismatch", []check{{0, linegate.Option82Missing}},
			store.ValidationRecord{SubscriberID: "a", LastAt: noon, LastResult: linegate.Option82Missing}},
		{"mismatches add up and the last check tells the result",
			[]check{{0, linegate.Option82Mismatch}, {1, linegate.Option82Mismatch}, {2, linegate.Option82Match}},
			store.ValidationRecord{SubscriberID: "a", LastAt: noon.Add(2), LastResult: linegate.Option82Match, Mismatches: 2}},
		{"a check that is noted late does not become the last one",
			[]check{{2, linegate.Option82Match}, {1, linegate.Option82Mismatch}},
			store.ValidationRecord{SubscriberID: "a", LastAt: noon.Add(2), LastResult: linegate.Option82Match, Mismatches: 1}},
		{"of two checks at one moment the later noted counts",
			[]check{{0, linegate.Option82Match}, {0, linegate.Option82Mismatch}},
			store.ValidationRecord{SubscriberID: "a", LastAt: noon, LastResult: linegate.Option82Mismatch, Mismatches: 1}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			recorder := newFakeRecorder()
			b := New(recorder, Options{})
			for _, c := range test.checks {
				b.Validated("a", noon.Add(c.after), c.result)
			}
			require.NoError(t, b.flush(t.Context(), shardCount))
			assert.Equal(t, test.want, recorder.record("a"))
			assert.Equal(t, Stats{Recorded: 1}, b.Stats())
		})
	}
}

func TestWhatWasNotedAMomentAgoIsNotNotedAgain(t *testing.T) {
	recorder := newFakeRecorder()
	b := New(recorder, Options{})
	noted := func(after time.Duration, result linegate.Option82Result) store.ValidationRecord {
		b.Validated("a", noon.Add(after), result)
		require.NoError(t, b.flush(t.Context(), shardCount))
		return recorder.record("a")
	}
	assert.Equal(t, noon, noted(0, linegate.Option82Match).LastAt)
	assert.Equal(t, noon, noted(noteFresh-time.Second, linegate.Option82Match).LastAt, "the same again")
	assert.Equal(t, linegate.Option82Missing, noted(noteFresh-time.Second, linegate.Option82Missing).LastResult, "another result")
	assert.Equal(t, noon.Add(noteFresh), noted(noteFresh, linegate.Option82Match).LastAt, "and back")
	assert.Equal(t, noon.Add(2*noteFresh), noted(2*noteFresh, linegate.Option82Match).LastAt, "after a while")
	for i := range int64(3) {
		assert.Equal(t, i+1, noted(2*noteFresh, linegate.Option82Mismatch).Mismatches, "each counts")
	}
}

func TestANoteThatFoundNoRoomIsTakenLater(t *testing.T) {
	recorder := newFakeRecorder()
	b := New(recorder, Options{MaxPending: 1})
	b.Validated("a", noon, linegate.Option82Match)
	b.Validated("b", noon, linegate.Option82Match)
	require.NoError(t, b.flush(t.Context(), shardCount))
	b.Validated("b", noon.Add(time.Second), linegate.Option82Match)
	require.NoError(t, b.flush(t.Context(), shardCount))
	assert.Equal(t, noon.Add(time.Second), recorder.record("b").LastAt)
}

func TestRunRecordsOnEachTick(t *testing.T) {
	ticks := make(chan time.Time)
	recorder := newFakeRecorder()
	b := New(recorder, Options{Ticks: ticks})
	stop := start(t, b)
	for i := range int64(3) {
		b.Validated("a", noon, linegate.Option82Mismatch)
		ticks <- noon
		require.NoError(t, <-recorder.calls)
		assert.Equal(t, i+1, recorder.record("a").Mismatches)
	}
	ticks <- noon
	ticks <- noon
	assert.Empty(t, recorder.calls, "nothing to record, no transaction")
	require.NoError(t, stop())
}

func TestRunRecordsEachIntervalAndOnceMoreAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		recorder := newFakeRecorder()
		b := New(recorder, Options{})
		stop := start(t, b)
		b.Validated("a", noon, linegate.Option82Match)
		time.Sleep(time.Second - 1)
		synctest.Wait()
		assert.Empty(t, recorder.calls)
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		assert.Len(t, recorder.calls, 1)

		b.Validated("b", noon, linegate.Option82Match)
		require.NoError(t, stop())
		assert.Equal(t, "b", recorder.record("b").SubscriberID)
	})
}

func TestNothingIsLostWhileTheStoreIsAwayAndItIsToldOnce(t *testing.T) {
	var log bytes.Buffer
	ticks := make(chan time.Time)
	recorder := newFakeRecorder()
	b := New(recorder, Options{Ticks: ticks, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	stop := start(t, b)
	recorder.fail(linegate.ErrUnavailable)
	for i := range 5 {
		b.Validated("a", noon.Add(time.Duration(i)), linegate.Option82Mismatch)
		ticks <- noon
		require.ErrorIs(t, <-recorder.calls, linegate.ErrUnavailable)
	}
	b.Validated("b", noon, linegate.Option82Match)
	recorder.fail(nil)
	ticks <- noon
	require.NoError(t, <-recorder.calls)
	assert.Equal(t, store.ValidationRecord{SubscriberID: "a", LastAt: noon.Add(4), LastResult: linegate.Option82Mismatch, Mismatches: 5}, recorder.record("a"))
	require.NoError(t, stop())
	assert.Equal(t, Stats{Recorded: 2, Failures: 5}, b.Stats())
	assert.Equal(t, 1, bytes.Count(log.Bytes(), []byte("level=WARN")), log.String())
	assert.Equal(t, 1, bytes.Count(log.Bytes(), []byte("level=INFO")), log.String())
}

func TestARecordThatFailsIsMergedWithWhatWasNotedMeanwhile(t *testing.T) {
	recorder := newFakeRecorder()
	b := New(recorder, Options{})
	b.Validated("a", noon, linegate.Option82Mismatch)
	recorder.err = linegate.ErrUnavailable
	recorder.during = func() { b.Validated("a", noon.Add(time.Second), linegate.Option82Match) }
	require.ErrorIs(t, b.flush(t.Context(), shardCount), linegate.ErrUnavailable)
	assert.EqualValues(t, 1, b.Stats().Pending)

	recorder.err, recorder.during = nil, nil
	require.NoError(t, b.flush(t.Context(), shardCount))
	assert.Equal(t, store.ValidationRecord{SubscriberID: "a", LastAt: noon.Add(time.Second), LastResult: linegate.Option82Match, Mismatches: 1}, recorder.record("a"))
	assert.Zero(t, b.Stats().Pending)
}

func TestWhatCannotBeRecordedAtTheEndIsAnError(t *testing.T) {
	recorder := newFakeRecorder()
	recorder.fail(linegate.ErrUnavailable)
	b := New(recorder, Options{})
	stop := start(t, b)
	b.Validated("a", noon, linegate.Option82Match)
	err := stop()
	assert.ErrorIs(t, err, linegate.ErrUnavailable)
	assert.ErrorContains(t, err, "bookkeeping of 1 subscribers is lost")
}

func TestAWriteThatShutdownInterruptsIsRepeatedAndIsNoOutage(t *testing.T) {
	var log bytes.Buffer
	ctx, cancel := context.WithCancel(t.Context())
	ticks := make(chan time.Time, 1)
	recorder := newFakeRecorder()
	b := New(recorder, Options{Ticks: ticks, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	b.Validated("a", noon, linegate.Option82Match)
	recorder.during = cancel
	ticks <- noon
	require.NoError(t, b.Run(ctx))
	assert.Equal(t, "a", recorder.record("a").SubscriberID)
	assert.Empty(t, log.String())
}

func TestPendingNotesAreBoundedAndTheRestIsCounted(t *testing.T) {
	recorder := newFakeRecorder()
	recorder.err = errors.New("full")
	b := New(recorder, Options{MaxPending: 10})
	for round := range 3 {
		for i := range 15 {
			b.Validated(fmt.Sprint("subscriber ", i), noon, linegate.Option82Mismatch)
		}
		require.Error(t, b.flush(t.Context(), shardCount))
		assert.Equal(t, Stats{Pending: 10, Dropped: uint64(5 * (round + 1)), Failures: uint64(round + 1)}, b.Stats())
	}
	recorder.err = nil
	require.NoError(t, b.flush(t.Context(), shardCount))
	assert.Len(t, recorder.records, 10)
	for _, record := range recorder.records {
		assert.EqualValues(t, 3, record.Mismatches)
	}
}

func TestManyNotesAreRecordedInBatches(t *testing.T) {
	recorder := newFakeRecorder()
	b := New(recorder, Options{})
	const count = 20_000
	for i := range count {
		b.Validated(fmt.Sprint(i), noon, linegate.Option82Match)
	}
	require.NoError(t, b.flush(t.Context(), shardCount))
	assert.Len(t, recorder.records, count)
	for _, size := range recorder.batches {
		assert.LessOrEqual(t, size, 2*batchSize)
	}
	assert.LessOrEqual(t, len(recorder.batches), count/batchSize+1)
}

func TestAFloodIsRecordedAPartAtATick(t *testing.T) {
	recorder := newFakeRecorder()
	b := New(recorder, Options{MaxPending: 100_000})
	for i := range 2 * unhurried {
		b.Validated(fmt.Sprint(i), noon, linegate.Option82Match)
	}
	ticks := 0
	for b.Stats().Pending > unhurried {
		require.NoError(t, b.flush(t.Context(), b.shardsDue()))
		ticks++
	}
	assert.InDelta(t, ticksPerShard*shardCount/2, ticks, ticksPerShard*8, "a shard every fourth tick")
	require.NoError(t, b.flush(t.Context(), b.shardsDue()))
	assert.Len(t, recorder.records, 2*unhurried, "the rest at once")
}

func TestNotesFromManySidesAreAllCounted(t *testing.T) {
	ticks := make(chan time.Time)
	recorder := newFakeRecorder()
	b := New(recorder, Options{Ticks: ticks})
	stop := start(t, b)
	const writers, rounds, subscribers = 8, 2000, 50
	var writing sync.WaitGroup
	for range writers {
		writing.Go(func() {
			for i := range rounds {
				b.Validated(fmt.Sprint(i%subscribers), noon, linegate.Option82Mismatch)
			}
		})
	}
	for i := range 50 {
		if i%2 == 0 {
			recorder.fail(linegate.ErrUnavailable)
		} else {
			recorder.fail(nil)
		}
		ticks <- noon
	}
	writing.Wait()
	recorder.fail(nil)
	require.NoError(t, stop())
	var mismatches int64
	for _, record := range recorder.records {
		mismatches += record.Mismatches
	}
	assert.EqualValues(t, writers*rounds, mismatches)
	assert.Zero(t, b.Stats().Pending)
	assert.Zero(t, b.Stats().Dropped)
}

// discard takes everything.
type discard struct{}

func (discard) RecordValidations(context.Context, []store.ValidationRecord) error { return nil }

func TestTheSteadyStateAllocatesNothing(t *testing.T) {
	b := New(discard{}, Options{})
	ids := make([]string, 1000)
	for i := range ids {
		ids[i] = fmt.Sprint("subscriber ", i)
	}
	allocations := testing.AllocsPerRun(20, func() {
		for _, id := range ids {
			b.Validated(id, noon, linegate.Option82Match)
		}
		if err := b.flush(t.Context(), shardCount); err != nil {
			t.Error(err)
		}
	})
	assert.Zero(t, allocations)
}
