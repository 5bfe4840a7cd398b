package cache

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"linegate"
)

func TestWarmLoadsEverySubscriberUnderAllItsKeys(t *testing.T) {
	// On one processor the table falls behind at once, unless it is waited for.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	b := newBench(t, Options{MaxBytes: 256 << 20})
	const count = 30_000 // three keys each: several times the table's queue
	for i := range count {
		b.engine.put(subscriber(i))
	}
	b.warm()

	falseAlarms := b.engine.lookupCount()
	assert.Less(t, falseAlarms, 50)
	for i := range count {
		keys := subscriber(i).Keys()
		e := b.cache.index.get(b.cache.hash(keys[0]))
		if b.find(keys[0]).Subscriber.Username != fmt.Sprintf("user%d", i) ||
			b.cache.index.get(b.cache.hash(keys[1])) != e || b.cache.index.get(b.cache.hash(keys[2])) != e {
			t.Fatalf("user%d: its three keys must share its one entry", i)
		}
	}
	b.warm()
	assert.Equal(t, falseAlarms, b.engine.lookupCount(), "once complete, Warm does nothing")
}

func TestSubscribersWhoShareAKeyAreAmbiguousByIt(t *testing.T) {
	b := newBench(t, Options{})
	for i := range 4 {
		s := subscriber(i)
		s.Profile.CircuitID = "olt1 shared"
		if i < 2 {
			s.Profile.MAC = linegate.MAC{2, 0, 0, 0, 0, 1}
		}
		b.engine.put(s)
	}
	b.warm()

	ambiguous := linegate.Lookup{Ambiguous: true}
	assert.Equal(t, ambiguous, b.find(linegate.NewKey("demo", linegate.ByCircuit, "olt1 shared")))
	assert.Equal(t, ambiguous, b.find(linegate.NewKey("demo", linegate.ByMAC, "02:00:00:00:00:01")))
	assert.Equal(t, "user3", b.find(linegate.NewKey("demo", linegate.ByMAC, "02:00:00:00:00:03")).Subscriber.Username)
	for i := range 4 {
		assert.Equal(t, fmt.Sprintf("user%d", i), b.find(nameKey(i)).Subscriber.Username)
	}
}

func TestNoSharedKeyIsFoundAsOnesAloneWhileWarming(t *testing.T) {
	b := newBench(t, Options{})
	shared := linegate.NewKey("demo", linegate.ByCircuit, "olt1 shared")
	for i := range 2 {
		s := subscriber(i)
		s.Profile.CircuitID = "olt1 shared"
		b.engine.put(s)
	}
	b.engine.onAnswered(func(key linegate.Key, _ linegate.Lookup) {
		b.cache.table.Wait()
		_, known := b.cache.Find([]byte(key), new(linegate.Room))
		assert.False(t, known, key)
	})
	b.warm()
	assert.True(t, b.find(shared).Ambiguous)
}

func TestWarmKeepsWithinItsMemoryAndStillKnowsAllKeys(t *testing.T) {
	b := newBench(t, Options{MaxBytes: 1 << 20})
	for i := range 5000 {
		b.engine.put(subscriber(i))
	}
	b.warm()
	b.follow()
	b.awaitCurrent()

	stats := b.cache.Stats()
	assert.LessOrEqual(t, stats.Octets, int64(1<<20))
	assert.Greater(t, stats.Octets, int64(1<<20)*9/10)
	assert.InDelta(t, 20_000, stats.Keys, 20)
	assert.Greater(t, stats.LeftOut, int64(1000))
	assert.False(t, b.knows(nameKey(4999)), "exists, but has no room")
	assert.NotNil(t, b.load(nameKey(4999)).Subscriber)
}

func TestAFailedWarmCanBeRepeated(t *testing.T) {
	b := newBench(t, Options{})
	b.engine.put(subscriber(1))
	b.engine.fail(linegate.ErrUnavailable)
	require.ErrorIs(t, b.cache.Warm(t.Context()), linegate.ErrUnavailable)
	b.engine.fail(nil)
	b.warm()
	b.find(nameKey(1))
}

func TestWarmFailsWhereverTheStoreFails(t *testing.T) {
	b := newBench(t, Options{})
	for i := range 2 {
		s := subscriber(i)
		s.Profile.CircuitID = "olt1 shared"
		b.engine.put(s)
	}
	b.cache.position.Store(0) // Revision has succeeded
	b.engine.fail(errAny)
	assert.ErrorIs(t, b.cache.Warm(t.Context()), errAny, "count")
	b.engine.fail(nil)
	b.cache.engine = failingScan{b.engine}
	assert.ErrorIs(t, b.cache.Warm(t.Context()), errAny, "scan")
	b.cache.engine = b.engine
	b.engine.onAnswered(func(linegate.Key, linegate.Lookup) { b.engine.fail(errAny) })
	b.cache.engine = failingLookup{b.engine}
	assert.ErrorIs(t, b.cache.Warm(t.Context()), errAny, "load of a shared key")
	b.cache.engine = b.engine
	b.engine.onAnswered(nil)
	b.engine.fail(nil)
	b.warm()
}

func TestTheCostOfAnEntryIsAboutItsMemory(t *testing.T) {
	const count = 20_000
	b := newBench(t, Options{MaxBytes: 64 << 20})
	empty := heap()
	for i := range count {
		s := subscriber(i)
		for _, key := range s.Keys() {
			b.cache.keep(b.cache.hash(key), key, linegate.Lookup{Subscriber: s})
		}
		if i%1000 == 0 {
			b.cache.table.Wait()
		}
	}
	b.cache.table.Wait()
	taken := heap() - empty
	estimate := b.cache.Stats().Octets
	t.Logf("a subscriber with three keys: estimate %d octets, heap %d", estimate/count, taken/count)
	assert.InEpsilon(t, taken, estimate, 0.3)
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}
