package cache

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"linegate"
)

// hold makes the engine stop with each answer in its hand: read, and not given
// before release is closed. Each one is told of.
func (b *bench) hold() (held chan linegate.Lookup, release chan struct{}) {
	held, release = make(chan linegate.Lookup, 1<<16), make(chan struct{})
	b.engine.onAnswered(func(_ linegate.Key, lookup linegate.Lookup) {
		held <- lookup
		<-release
	})
	return held, release
}

func TestManyWhoAskForOneKeyAskTheStoreOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		engine := newFakeEngine()
		cache, err := New(engine, Options{MaxBytes: 1 << 20})
		require.NoError(t, err)
		defer cache.Close()
		b := &bench{T: t, engine: engine, cache: cache}
		engine.put(subscriber(1))
		held, release := b.hold()

		var waiting sync.WaitGroup
		for range 100 {
			waiting.Go(func() {
				lookup, err := cache.Load(t.Context(), nameKey(1))
				assert.NoError(t, err)
				assert.NotNil(t, lookup.Subscriber)
			})
		}
		<-held
		synctest.Wait() // all of them wait
		close(release)
		waiting.Wait()
		assert.Equal(t, 1, engine.lookupCount())
	})
}

func TestLoadsBeyondTheLimitWaitAndAreThenOverloaded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		engine := newFakeEngine()
		cache, err := New(engine, Options{MaxBytes: 1 << 20, MaxLoads: 2})
		require.NoError(t, err)
		defer cache.Close()
		b := &bench{T: t, engine: engine, cache: cache}
		_, release := b.hold()
		var loading sync.WaitGroup
		for i := range 5 {
			loading.Go(func() { b.load(nameKey(i)) })
		}
		synctest.Wait()
		assert.Equal(t, 2, engine.lookupCount(), "the others wait for a slot")

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = cache.Load(ctx, nameKey(9))
		assert.ErrorIs(t, err, linegate.ErrOverloaded, "no slot became free")
		_, err = cache.Load(ctx, nameKey(0))
		assert.ErrorIs(t, err, linegate.ErrOverloaded, "the load of the same key took too long")
		assert.ErrorIs(t, err, context.DeadlineExceeded)

		close(release)
		loading.Wait()
		assert.Equal(t, 5, engine.lookupCount())
	})
}

func TestAWaiterOutlivesALoaderThatGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		engine := newFakeEngine()
		cache, err := New(engine, Options{MaxBytes: 1 << 20})
		require.NoError(t, err)
		defer cache.Close()
		b := &bench{T: t, engine: engine, cache: cache}
		engine.put(subscriber(1))
		held, release := b.hold()

		impatient, giveUp := context.WithCancel(t.Context())
		var asking sync.WaitGroup
		asking.Go(func() {
			_, err := cache.Load(impatient, nameKey(1))
			assert.ErrorIs(t, err, context.Canceled)
		})
		<-held
		asking.Go(func() {
			lookup, err := cache.Load(t.Context(), nameKey(1))
			assert.NoError(t, err)
			assert.NotNil(t, lookup.Subscriber)
		})
		synctest.Wait() // the second waits for the first
		giveUp()
		close(release)
		asking.Wait()
		assert.Equal(t, 2, engine.lookupCount())
	})
}

func TestNobodyJoinsALoadThatIsSettled(t *testing.T) {
	b := newBench(t, Options{})
	key := nameKey(1)
	shard := b.cache.shard(b.cache.hash(key))
	settled, _ := shard.board(key)
	require.True(t, shard.settle(settled, key, func() {}))

	// Here a change may be applied, and seen by whoever asks now.
	next, leads := shard.board(key)
	assert.True(t, leads)
	shard.land(settled, key)
	_, leads = shard.board(key)
	assert.False(t, leads, "the end of the first load must not end the next")
	shard.land(next, key)
}

func TestAnErrorIsPassedOnAndNothingIsKept(t *testing.T) {
	b := newBench(t, Options{})
	b.warm()
	b.engine.put(subscriber(1))
	b.engine.fail(linegate.ErrUnavailable)
	_, err := b.cache.Load(t.Context(), nameKey(1))
	assert.ErrorIs(t, err, linegate.ErrUnavailable)
	assert.False(t, b.knows(nameKey(1)))
	assert.EqualValues(t, 1, b.cache.Stats().LoadErrors)

	b.engine.fail(nil)
	assert.NotNil(t, b.load(nameKey(1)).Subscriber)
	assert.NotNil(t, b.find(nameKey(1)).Subscriber)
}

func TestNothingIsKeptBeforeThereIsARevisionToFollowFrom(t *testing.T) {
	b := newBench(t, Options{})
	b.engine.put(subscriber(1))
	assert.NotNil(t, b.load(nameKey(1)).Subscriber)
	assert.Zero(t, b.load(nameKey(2)))
	assert.False(t, b.knows(nameKey(1)))
	assert.False(t, b.knows(nameKey(2)))
}

func TestALoadThatBeganBeforeWarmIsNotKept(t *testing.T) {
	b := newBench(t, Options{})
	b.engine.put(subscriber(1))
	held, release := b.hold()
	var loading sync.WaitGroup
	loading.Go(func() { b.load(nameKey(1)) })
	<-held
	b.engine.remove("demo", "user1")
	b.warm()
	close(release)
	loading.Wait()
	assert.False(t, b.knows(nameKey(1)), "the feed will not tell of that change any more")
}

func TestAnEngineThatPanicsLeavesNobodyWaiting(t *testing.T) {
	b := newBench(t, Options{})
	b.engine.put(subscriber(1))
	b.engine.onAnswered(func(linegate.Key, linegate.Lookup) { panic("engine") })
	assert.Panics(t, func() { _, _ = b.cache.Load(t.Context(), nameKey(1)) })
	b.engine.onAnswered(nil)
	assert.NotNil(t, b.load(nameKey(1)).Subscriber)
}

func TestAKeyThatBecomesNobodysIsTakenOut(t *testing.T) {
	b := newBench(t, Options{})
	b.engine.put(subscriber(1))
	b.warm()
	b.engine.remove("demo", "user1")
	assert.Zero(t, b.load(nameKey(1)), "loaded again before the feed told")
	assert.Zero(t, b.find(nameKey(1)))

	b.engine.put(subscriber(1))
	b.load(nameKey(1))
	assert.NotNil(t, b.find(nameKey(1)).Subscriber)
}

func TestOptionsLeftOpenGetTheirDefaults(t *testing.T) {
	defaults := Options{}.withDefaults()
	assert.EqualValues(t, 1<<30, defaults.MaxBytes)
	assert.Equal(t, 65_536, defaults.NegativeEntries)
	assert.Equal(t, 64, defaults.MaxLoads)
	assert.NotNil(t, defaults.Logger)
	assert.Equal(t, 3, Options{MaxLoads: 3}.withDefaults().MaxLoads)
	assert.Equal(t, 64, Options{MaxLoads: -1}.withDefaults().MaxLoads)
}

var errAny = errors.New("any")
