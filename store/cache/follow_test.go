package cache

import (
	"bytes"
	"context"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"linegate"
	"linegate/store"
)

// failingScan, failingLookup: engines of which one method fails.
type failingScan struct{ *fakeEngine }

func (failingScan) EachSubscriber(context.Context, string, func(*linegate.Subscriber) error) error {
	return errAny
}

type failingLookup struct{ *fakeEngine }

func (failingLookup) Lookup(context.Context, linegate.Key) (linegate.Lookup, error) {
	return linegate.Lookup{}, errAny
}

var _ store.Engine = (*fakeEngine)(nil)

func TestAChangeIsSeenOnceItIsApplied(t *testing.T) {
	b := newBench(t, Options{})
	moved := subscriber(1)
	b.engine.put(moved)
	b.warm()
	b.follow()
	oldCircuit, newCircuit := moved.Keys()[1], linegate.NewKey("demo", linegate.ByCircuit, "olt2")
	b.find(oldCircuit)

	moved.Profile.CircuitID = "olt2"
	b.awaitApplied(b.engine.put(moved))
	for _, key := range []linegate.Key{nameKey(1), newCircuit} {
		require.Eventually(t, func() bool { return b.knows(key) }, 20*time.Second, time.Millisecond, "loaded behind the scenes")
		assert.EqualValues(t, "olt2", b.find(key).Subscriber.Profile.CircuitID)
	}
	require.Eventually(t, func() bool { return b.knows(oldCircuit) }, 20*time.Second, time.Millisecond)
	assert.Zero(t, b.find(oldCircuit))

	b.awaitApplied(b.engine.remove("demo", "user1"))
	require.Eventually(t, func() bool { return b.knows(nameKey(1)) }, 20*time.Second, time.Millisecond)
	assert.Zero(t, b.find(nameKey(1)))
}

func TestASubscriberWhoAppearsIsNoLongerDenied(t *testing.T) {
	b := newBench(t, Options{})
	b.warm()
	b.follow()
	b.awaitCurrent()
	assert.Zero(t, b.find(nameKey(1)))
	b.awaitApplied(b.engine.put(subscriber(1)))
	if lookup, known := b.cache.Find([]byte(nameKey(1)), new(linegate.Room)); known {
		assert.NotNil(t, lookup.Subscriber)
	}
	assert.NotNil(t, b.load(nameKey(1)).Subscriber)
}

func TestAKeyThatASecondSubscriberTakesBecomesAmbiguous(t *testing.T) {
	b := newBench(t, Options{})
	b.engine.put(subscriber(1))
	b.warm()
	b.follow()
	circuit := subscriber(1).Keys()[1]
	thief := subscriber(2)
	thief.Profile.CircuitID = subscriber(1).Profile.CircuitID
	b.awaitApplied(b.engine.put(thief))
	assert.True(t, b.load(circuit).Ambiguous)
	require.Eventually(t, func() bool { return b.knows(circuit) }, 20*time.Second, time.Millisecond)
	assert.True(t, b.find(circuit).Ambiguous)
}

func TestFollowPassesOnChangesOfEveryKind(t *testing.T) {
	told := make(chan linegate.AuditEntry, 10)
	b := newBench(t, Options{OnChange: func(entries []linegate.AuditEntry) {
		for _, entry := range entries {
			told <- entry
		}
	}})
	b.engine.note(linegate.AuditTenant, "before Warm")
	b.warm()
	b.engine.note(linegate.AuditTenant, "demo")
	b.engine.note(linegate.AuditNAS, "bng1")
	b.follow()
	b.engine.put(subscriber(1))
	assert.Equal(t, "demo", (<-told).Name)
	assert.Equal(t, "bng1", (<-told).Name)
	assert.Equal(t, "user1", (<-told).Name)
}

func TestAChangeDuringALoadWins(t *testing.T) {
	b := newBench(t, Options{})
	b.engine.put(subscriber(1))
	b.warm()
	b.follow()

	held, release := b.hold()
	var loading sync.WaitGroup
	loading.Go(func() {
		lookup := b.load(nameKey(1))
		if assert.NotNil(t, lookup.Subscriber) {
			assert.Equal(t, linegate.StatusSuspended, lookup.Subscriber.Status)
		}
	})
	old := <-held
	assert.Equal(t, linegate.StatusActive, old.Subscriber.Status)

	suspended := subscriber(1)
	suspended.Status = linegate.StatusSuspended
	b.awaitApplied(b.engine.put(suspended)) // the old answer is read, and not yet given
	assert.False(t, b.knows(nameKey(1)))
	close(release)
	loading.Wait()
	assert.Equal(t, linegate.StatusSuspended, b.find(nameKey(1)).Subscriber.Status)
}

func TestAnAnswerOfNobodyDoesNotOutliveAChangeDuringItsLoad(t *testing.T) {
	b := newBench(t, Options{})
	b.warm()
	b.follow()
	held, release := b.hold()
	var loading sync.WaitGroup
	loading.Go(func() { assert.NotNil(t, b.load(nameKey(1)).Subscriber) })
	assert.Zero(t, <-held)

	b.awaitApplied(b.engine.put(subscriber(1)))
	close(release)
	loading.Wait()
	assert.NotNil(t, b.find(nameKey(1)).Subscriber)
}

func TestAnAnswerOfNobodyEndsWithTheChangeThatMakesSomebody(t *testing.T) {
	clock := newClock() // stands still: no answer grows old
	b := newBench(t, Options{Clock: clock.read})
	b.warm()
	b.load(nameKey(1))
	b.follow()
	b.awaitApplied(b.engine.put(subscriber(1)))
	require.Eventually(t, func() bool { return b.knows(nameKey(1)) }, 20*time.Second, time.Millisecond)
	assert.NotNil(t, b.find(nameKey(1)).Subscriber)
}

// Every change is applied while loaders of the same key are at all stages; what
// they find afterwards must never be older than what was applied before they
// asked.
func TestLoadersNeverBringBackWhatAChangeReplaced(t *testing.T) {
	const users, changes, readers = 4, 10_000, 4
	var applied [users]atomic.Int64
	b := newBench(t, Options{NegativeEntries: 8, OnChange: func(entries []linegate.AuditEntry) {
		for _, entry := range entries {
			applied[entry.Name[len("user")]-'0'].Store(entry.Revision)
		}
	}})
	b.engine.onAnswered(func(linegate.Key, linegate.Lookup) { runtime.Gosched() })
	b.warm()

	ctx, stop := context.WithCancel(t.Context())
	var racing sync.WaitGroup
	racing.Go(func() { b.cache.reloadQueued(ctx) })
	var finds, loads atomic.Int64
	for reader := range readers {
		racing.Go(func() {
			random := rand.New(rand.NewPCG(uint64(reader), 0))
			for ctx.Err() == nil {
				user := random.IntN(users)
				oldest := applied[user].Load()
				lookup, known := b.cache.Find([]byte(nameKey(user)), new(linegate.Room))
				if known {
					finds.Add(1)
				} else {
					var err error
					if lookup, err = b.cache.Load(ctx, nameKey(user)); err != nil {
						return
					}
					loads.Add(1)
				}
				name := subscriber(user).Username
				if s := lookup.Subscriber; s != nil && s.Revision < oldest {
					t.Errorf("%s: revision %d was applied, and then %d was found (known %t)", name, oldest, s.Revision, known)
				} else if s == nil && oldest > 0 && !b.engine.deletedSince(oldest, name) {
					t.Errorf("%s: exists since revision %d, and then nobody was found (known %t)", name, oldest, known)
				}
			}
		})
	}
	for change := range changes {
		user := change % users
		if change/users%4 == 3 {
			b.engine.remove("demo", subscriber(user).Username)
		} else {
			b.engine.put(subscriber(user))
		}
		if err := b.cache.catchUp(ctx); err != nil {
			t.Error(err)
		}
		if change%16 == 0 {
			runtime.Gosched() // lets some keys come to rest in the table
		}
	}
	stop()
	racing.Wait()
	t.Logf("%d changes against %d finds and %d loads", changes, finds.Load(), loads.Load())
	assert.Positive(t, finds.Load())
	assert.Positive(t, loads.Load())
}

func TestAChangeOfVeryManyDoesNotHoldUpTheNext(t *testing.T) {
	b := newBench(t, Options{MaxBytes: 512 << 20})
	b.warm()
	_, release := b.hold() // no reload gets anywhere
	defer close(release)
	b.follow()
	for i := range 30_000 {
		b.engine.put(subscriber(i))
	}
	b.awaitApplied(b.engine.note(linegate.AuditNAS, "bng1"))
	assert.Greater(t, b.cache.Stats().Reloads, 50_000, "they wait behind")
	b.engine.onAnswered(nil)
}

func TestFollowOutlastsAnOutageAndTellsOfItOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		engine := newFakeEngine()
		var changes atomic.Int64
		cache, err := New(engine, Options{
			MaxBytes: 1 << 20,
			Logger:   slog.New(slog.NewTextHandler(&log, nil)),
			OnChange: func(entries []linegate.AuditEntry) { changes.Add(int64(len(entries))) },
		})
		require.NoError(t, err)
		defer cache.Close()
		ctx, stop := context.WithCancel(t.Context())
		var following sync.WaitGroup
		engine.fail(linegate.ErrUnavailable) // from the start: Warm fails as well
		following.Go(func() { assert.NoError(t, cache.Follow(ctx)) })

		time.Sleep(time.Minute)
		assert.False(t, cache.Stats().Current)
		assert.EqualValues(t, positionUnknown, cache.Stats().Revision)
		engine.fail(nil)
		time.Sleep(2 * time.Second)
		assert.True(t, cache.Stats().Current)

		engine.fail(linegate.ErrUnavailable)
		time.Sleep(time.Minute)
		assert.False(t, cache.Stats().Current)
		engine.put(subscriber(1))
		engine.fail(nil)
		time.Sleep(maxPause + time.Millisecond)
		assert.EqualValues(t, 1, changes.Load(), "seen a second after the store's return")
		assert.True(t, cache.Stats().Current)

		stop()
		following.Wait()
		assert.False(t, cache.Stats().Current, "nobody follows any more")
		assert.Equal(t, 2, bytes.Count(log.Bytes(), []byte("level=WARN")), log.String())
		assert.Equal(t, 2, bytes.Count(log.Bytes(), []byte("level=INFO")), log.String())
	})
}

// deaf is an engine that never hints at changes.
type deaf struct{ *fakeEngine }

func (deaf) Changed(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

// chatty is an engine that hints all the time.
type chatty struct{ *fakeEngine }

func (chatty) Changed(context.Context) error { return nil }

func TestFollowPollsAtAModeratePaceWhateverTheHints(t *testing.T) {
	tests := []struct {
		name     string
		engine   func(*fakeEngine) store.Engine
		min, max int // reads of the feed in 10 seconds
	}{
		{"without hints", func(e *fakeEngine) store.Engine { return deaf{e} }, 20, 21},
		{"with hints all the time", func(e *fakeEngine) store.Engine { return chatty{e} }, 400, 501},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				engine := newFakeEngine()
				cache, err := New(test.engine(engine), Options{MaxBytes: 1 << 20})
				require.NoError(t, err)
				defer cache.Close()
				ctx, stop := context.WithCancel(t.Context())
				var following sync.WaitGroup
				following.Go(func() { assert.NoError(t, cache.Follow(ctx)) })
				time.Sleep(10 * time.Second)
				stop()
				following.Wait()
				assert.GreaterOrEqual(t, engine.feedReads, test.min)
				assert.LessOrEqual(t, engine.feedReads, test.max)
			})
		})
	}
}

// The last change of an import is enforced as soon as the first, though it takes
// seconds to go through them all.
func TestALongTailOfChangesIsNotBelievedInMemory(t *testing.T) {
	applying, goOn := make(chan struct{}), make(chan struct{})
	var once sync.Once
	b := newBench(t, Options{OnChange: func([]linegate.AuditEntry) {
		once.Do(func() {
			close(applying)
			<-goOn
		})
	}})
	const count = feedPage + 10
	for number := range count {
		b.engine.put(subscriber(number))
	}
	b.warm()
	suspended := make([]*linegate.Subscriber, count)
	for number := range count {
		suspended[number] = subscriber(number)
		suspended[number].Status = linegate.StatusSuspended
		b.engine.put(suspended[number])
	}
	require.True(t, b.knows(nameKey(count-1)))
	b.follow()
	<-applying // the first page; the last subscriber's change is on the second
	assert.False(t, b.knows(nameKey(count-1)), "memory is not asked")
	assert.False(t, b.knows(linegate.NewKey("demo", linegate.ByUsername, "new")), "nor for who may have come")
	assert.Equal(t, linegate.StatusSuspended, b.load(nameKey(count-1)).Subscriber.Status)
	assert.True(t, b.knows(nameKey(count-1)), "what was loaded since is believed")
	close(goOn)
	b.awaitCurrent()
	assert.Zero(t, b.find(linegate.NewKey("demo", linegate.ByUsername, "new")), "memory is believed again")
}

func TestKeysThatAreLoadedOneByOneShareTheirSubscriber(t *testing.T) {
	b := newBench(t, Options{})
	b.engine.put(subscriber(1))
	b.warm()
	keys := subscriber(1).Keys()
	for _, key := range keys {
		b.cache.forget(key)
	}
	for _, key := range keys {
		b.load(key)
	}
	for _, key := range keys[1:] {
		assert.Same(t, b.cache.index.get(b.cache.hash(keys[0])), b.cache.index.get(b.cache.hash(key)))
	}
}

// What was loaded for one key while the feed was behind says nothing of the others:
// by now they may be somebody else's as well.
func TestAnOldEntryDoesNotCountForItsOtherKeysWhenOneIsLoadedAnew(t *testing.T) {
	clock := newClock()
	b := newBench(t, Options{Clock: clock.read})
	b.engine.put(subscriber(1))
	b.warm()
	clock.advance(time.Second)
	b.cache.behindSince.Store(int64(b.cache.age()))
	keys := subscriber(1).Keys()
	b.load(keys[0])
	assert.True(t, b.knows(keys[0]))
	assert.False(t, b.knows(keys[1]))
	b.cache.behindSince.Store(caughtUp)
	assert.True(t, b.knows(keys[1]), "its change would have been told")
}
