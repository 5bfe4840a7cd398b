package cache

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"linegate"
)

var errAway = fmt.Errorf("fake: %w", linegate.ErrUnavailable)

// restoreCopy restores a copy of the engine as it stands.
func (b *bench) restoreCopy() {
	b.Helper()
	b.engine.mu.Lock()
	var copied []*linegate.Subscriber
	for _, subscriber := range b.engine.subscribers {
		copied = append(copied, subscriber.Clone())
	}
	source, revision := b.engine.id, int64(len(b.engine.feed))
	b.engine.mu.Unlock()
	b.cache.Restore(source, revision, copied)
}

// replaceStore puts another store behind the same address.
func (e *fakeEngine) replaceStore(other *fakeEngine) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.id, e.subscribers, e.index, e.feed = other.id, other.subscribers, other.index, other.feed
}

func (b *bench) awaitPosition(revision int64) {
	b.Helper()
	require.Eventually(b, func() bool { return b.cache.Stats().Revision == revision && b.cache.Stats().Current }, 20*time.Second, time.Millisecond)
}

func TestARestoredCopyAnswersWhileTheStoreIsAway(t *testing.T) {
	b := newBench(t, Options{})
	b.engine.put(subscriber(1))
	b.restoreCopy()
	b.engine.fail(errAway)
	b.follow()

	for _, key := range subscriber(1).Keys() {
		assert.Equal(t, "user1", b.find(key).Subscriber.Username)
	}
	assert.False(t, b.knows(nameKey(2)), "who is not in the copy may be in the store")
	assert.NoError(t, b.cache.Warm(t.Context()), "memory is full already")
}

func TestARestoredCopyCatchesUpByTheFeed(t *testing.T) {
	b := newBench(t, Options{})
	changed, gone := subscriber(1), subscriber(2)
	b.engine.put(changed)
	b.engine.put(gone)
	b.restoreCopy()
	changed.Status = linegate.StatusSuspended
	b.engine.put(changed)
	b.engine.put(subscriber(3))
	last := b.engine.remove("demo", gone.Username)
	b.follow()

	b.awaitPosition(last)
	assert.Equal(t, linegate.StatusSuspended, b.load(nameKey(1)).Subscriber.Status)
	assert.Zero(t, b.load(nameKey(2)))
	assert.NotNil(t, b.load(nameKey(3)).Subscriber)
	assert.Zero(t, b.find(nameKey(4)), "the feed is read, so nobody is nobody again")
}

func TestKeysThatSeveralOfACopyShareAreLeftToTheStore(t *testing.T) {
	b := newBench(t, Options{})
	twin := subscriber(2)
	twin.Profile.CircuitID = subscriber(1).Profile.CircuitID
	b.engine.put(subscriber(1))
	b.engine.put(twin)
	b.restoreCopy()
	assert.False(t, b.knows(subscriber(1).Keys()[1]))
	assert.True(t, b.knows(nameKey(1)))
}

func TestAnotherStoreBehindTheSameAddressMakesMemoryVoid(t *testing.T) {
	other := newFakeEngine()
	other.id = "another"
	other.put(subscriber(2))
	other.put(subscriber(3))

	shorter := newFakeEngine() // the same store, restored from a backup of before
	shorter.put(subscriber(2))

	for name, replacement := range map[string]*fakeEngine{"another store": other, "a store that went back in time": shorter} {
		t.Run(name, func(t *testing.T) {
			var resets atomic.Int64
			b := newBench(t, Options{OnReset: func() { resets.Add(1) }})
			b.engine.put(subscriber(1))
			b.engine.put(subscriber(2))
			b.warm()
			b.follow()
			b.awaitCurrent()
			b.find(nameKey(1))

			b.engine.fail(errAway)
			require.Eventually(t, b.cache.away.Load, 20*time.Second, time.Millisecond)
			b.engine.replaceStore(replacement)
			b.engine.fail(nil)
			require.Eventually(t, func() bool { return resets.Load() == 1 && b.cache.Stats().Current && !b.cache.away.Load() }, 20*time.Second, time.Millisecond)
			assert.Zero(t, b.find(nameKey(1)), "subscriber 1 is not in this store")
			assert.NotNil(t, b.find(nameKey(2)).Subscriber)
			assert.EqualValues(t, 1, resets.Load())
		})
	}
}

func TestALoadUnderWayDuringAResetIsNotKept(t *testing.T) {
	b := newBench(t, Options{})
	b.engine.put(subscriber(1))
	b.warm()
	b.cache.detach(b.cache.hash(nameKey(1)))
	once := make(chan struct{}, 1)
	once <- struct{}{}
	b.engine.onAnswered(func(linegate.Key, linegate.Lookup) {
		select {
		case <-once:
			b.engine.replaceStore(&fakeEngine{id: "another"})
			b.cache.reset()
		default:
		}
	})
	assert.Zero(t, b.load(nameKey(1)), "asked again, of the new store")
	assert.False(t, b.knows(nameKey(1)))
}

func TestWhileTheStoreIsAwayNobodyIsDenied(t *testing.T) {
	b := newBench(t, Options{})
	b.warm()
	b.follow()
	b.awaitCurrent()
	assert.Zero(t, b.find(nameKey(1)), "denied by the filter")
	assert.Zero(t, b.load(nameKey(2)))
	assert.Zero(t, b.find(nameKey(2)), "denied by an earlier answer")
	b.engine.fail(errAway)
	require.Eventually(t, b.cache.away.Load, 20*time.Second, time.Millisecond)
	assert.False(t, b.knows(nameKey(1)))
	assert.False(t, b.knows(nameKey(2)))
}

func TestMemoryAnswersInPlaceOfTheStoreOnlyForSoLong(t *testing.T) {
	clock := newClock()
	b := newBench(t, Options{FailStatic: time.Hour, Clock: clock.read})
	b.engine.put(subscriber(1))
	b.warm()
	b.follow()
	b.awaitCurrent()
	clock.advance(2 * time.Hour)
	assert.True(t, b.knows(nameKey(1)), "the store is there, whatever the clock says")

	require.Eventually(t, func() bool { return b.cache.age()-time.Duration(b.cache.heardAt.Load()) < time.Hour }, 20*time.Second, time.Millisecond)
	b.engine.fail(errAway)
	require.Eventually(t, b.cache.away.Load, 20*time.Second, time.Millisecond)
	clock.advance(59 * time.Minute)
	assert.True(t, b.knows(nameKey(1)))
	clock.advance(2 * time.Minute)
	assert.False(t, b.knows(nameKey(1)))
	b.engine.fail(nil)
	require.Eventually(t, func() bool { return b.knows(nameKey(1)) }, 20*time.Second, time.Millisecond)
}
