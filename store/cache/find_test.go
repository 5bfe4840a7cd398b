package cache

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"linegate"
)

func TestFindDoesNotAllocate(t *testing.T) {
	b := newBench(t, Options{})
	b.engine.put(subscriber(1))
	b.warm()
	b.follow()
	b.awaitCurrent()

	buffer := make([]byte, 0, 300)
	var room linegate.Room
	for _, test := range []struct {
		name, username string
	}{
		{"a subscriber in memory", "user1"},
		{"a name that the filter denies", "nobody"},
	} {
		t.Run(test.name, func(t *testing.T) {
			allocations := testing.AllocsPerRun(1000, func() {
				key := linegate.AppendKey(buffer[:0], "demo", linegate.ByUsername, test.username)
				if _, known := b.cache.Find(key, &room); !known {
					t.Error("not known")
				}
			})
			assert.Zero(t, allocations)
		})
	}
}

func TestFindTakesACollidingEntryForAMiss(t *testing.T) {
	b := newBench(t, Options{})
	asked, other := nameKey(1), nameKey(2)
	hash := b.cache.hash(asked)
	b.cache.index.put(hash, b.cache.newEntry(other, linegate.Lookup{Subscriber: subscriber(2)}))
	assert.False(t, b.knows(asked), "another key's entry must not answer")
}

func TestFindCountsWhatItDid(t *testing.T) {
	b := newBench(t, Options{})
	b.engine.put(subscriber(1))
	b.warm()

	b.find(nameKey(1))
	assert.False(t, b.knows("demo\x00u\x00ghost"), "nobody follows: only the store can tell")
	b.load("demo\x00u\x00ghost")
	b.find("demo\x00u\x00ghost")
	b.follow()
	b.awaitCurrent()
	b.find("demo\x00u\x00phantom")

	stats := b.cache.Stats()
	assert.EqualValues(t, 1, stats.Hits)
	assert.EqualValues(t, 1, stats.Misses)
	assert.EqualValues(t, 1, stats.NegativeHits)
	assert.EqualValues(t, 1, stats.FilteredUnknown)
	assert.EqualValues(t, 1, stats.Loads)
	assert.EqualValues(t, 4, stats.Keys)
	assert.EqualValues(t, 1, stats.Revision)
	assert.Positive(t, stats.Octets)
}

func TestAFloodOfUnknownNamesNeverReachesTheStore(t *testing.T) {
	b := newBench(t, Options{})
	for i := range 1000 {
		b.engine.put(subscriber(i))
	}
	b.warm()
	b.follow()
	b.awaitCurrent()

	for i := range 50_000 {
		key := linegate.NewKey("demo", linegate.ByUsername, fmt.Sprintf("flood%d", i))
		if lookup, known := b.cache.Find([]byte(key), new(linegate.Room)); !known {
			b.load(key)
		} else {
			require.Zero(t, lookup)
		}
	}
	assert.Less(t, b.engine.lookupCount(), 100, "the filter's false alarms are rarer than one in a thousand")
}

func TestTheFilterIsBelievedOnlyWhileTheFeedIsRead(t *testing.T) {
	clock := newClock()
	b := newBench(t, Options{Clock: clock.read})
	b.warm()
	ghost := linegate.Key("demo\x00u\x00ghost")
	assert.False(t, b.knows(ghost), "before Follow")

	b.follow()
	b.awaitCurrent()
	assert.Zero(t, b.find(ghost))

	b.engine.fail(linegate.ErrUnavailable)
	clock.advance(feedFresh)
	assert.False(t, b.knows(ghost), "the feed is out of reach: somebody may have been added")
	_, err := b.cache.Load(t.Context(), ghost)
	assert.ErrorIs(t, err, linegate.ErrUnavailable)

	b.engine.fail(nil)
	b.awaitCurrent()
	assert.Zero(t, b.find(ghost))
}

func TestANegativeAnswerHoldsForItsTTL(t *testing.T) {
	clock := newClock()
	b := newBench(t, Options{Clock: clock.read, NegativeTTL: 5 * time.Second})
	b.warm()
	ghost := nameKey(1)
	b.load(ghost)

	clock.advance(5*time.Second - 1)
	assert.Zero(t, b.find(ghost))
	clock.advance(1)
	assert.False(t, b.knows(ghost))
}

func TestNegativeAnswersAreBounded(t *testing.T) {
	n := newNegatives(2)
	for hash := range uint64(1000) {
		n.put(hash, nameKey(int(hash)), time.Hour)
	}
	assert.Len(t, n.slots, 2)
	assert.True(t, n.hold(999, []byte(nameKey(999)), 0))
	assert.False(t, n.hold(997, []byte(nameKey(997)), 0), "displaced by 999")
	n.forget(997, nameKey(997))
	assert.True(t, n.hold(999, []byte(nameKey(999)), 0), "another key's answer is left alone")
}

func TestAnOldEntryIsServedAndLoadedAgainBehindTheScenes(t *testing.T) {
	clock := newClock()
	b := newBench(t, Options{Clock: clock.read, TTL: time.Minute})
	b.engine.put(subscriber(1))
	b.warm()
	b.follow()
	b.awaitCurrent()
	key := nameKey(1)

	b.find(key)
	assert.Zero(t, b.engine.lookupCount(), "young")

	unheard := subscriber(1) // as if the feed had missed it
	unheard.Status = linegate.StatusSuspended
	b.engine.mu.Lock()
	b.engine.subscribers["demo\x00user1"] = unheard
	b.engine.mu.Unlock()

	clock.advance(time.Minute)
	assert.Equal(t, linegate.StatusActive, b.find(key).Subscriber.Status, "old, and still served")
	require.Eventually(t, func() bool {
		return b.find(key).Subscriber.Status == linegate.StatusSuspended
	}, 20*time.Second, time.Millisecond)
}

func TestAnOldEntryIsServedForAsLongAsTheStoreIsAway(t *testing.T) {
	clock := newClock()
	b := newBench(t, Options{Clock: clock.read, TTL: time.Minute})
	b.engine.put(subscriber(1))
	b.warm()
	b.follow()
	b.awaitCurrent()
	b.engine.fail(linegate.ErrUnavailable)

	for range 10 {
		failures := b.cache.Stats().LoadErrors
		clock.advance(time.Minute)
		assert.NotNil(t, b.find(nameKey(1)).Subscriber)
		require.Eventually(t, func() bool { return b.cache.Stats().LoadErrors > failures }, 20*time.Second, time.Millisecond)
	}
	b.find(nameKey(1))
	assert.LessOrEqual(t, b.engine.lookupCount(), 10, "one attempt each time, not one each find")
}

func TestAReloadBeyondTheQueueIsDroppedAndCounted(t *testing.T) {
	b := newBench(t, Options{})
	b.cache.reload = make(chan linegate.Key, 1)
	b.cache.reloadLater(nameKey(1))
	b.cache.reloadLater(nameKey(2))
	assert.EqualValues(t, 1, b.cache.Stats().ReloadsDropped)
	assert.Equal(t, 1, b.cache.Stats().Reloads)
}

func BenchmarkFind(b *testing.B) {
	engine := newFakeEngine()
	cache, err := New(engine, Options{MaxBytes: 256 << 20})
	require.NoError(b, err)
	defer cache.Close()
	const count = 1 << 16
	for i := range count {
		engine.put(subscriber(i))
	}
	require.NoError(b, cache.Warm(b.Context()))
	keys := make([][]byte, count)
	for i := range keys {
		keys[i] = []byte(nameKey(i))
	}
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		var room linegate.Room
		for i := 0; pb.Next(); i++ {
			if _, known := cache.Find(keys[i%count], &room); !known {
				b.Fail()
			}
		}
	})
}
