package cache

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"linegate"
	"linegate/store"
)

// fakeEngine is the part of an engine that a cache uses, in memory.
type fakeEngine struct {
	store.Engine // nil: whatever is not written here must not be called

	mu          sync.Mutex
	subscribers map[string]*linegate.Subscriber // by tenant and username
	index       map[linegate.Key]map[string]bool
	feed        []linegate.AuditEntry
	down        error // what every method returns, if anything
	lookups     int
	feedReads   int
	changed     chan struct{}
	id          string

	// answered, if set, is called with an answer that was read and is not yet
	// given.
	answered func(linegate.Key, linegate.Lookup)
}

func newFakeEngine() *fakeEngine {
	return &fakeEngine{
		subscribers: make(map[string]*linegate.Subscriber),
		index:       make(map[linegate.Key]map[string]bool),
		changed:     make(chan struct{}),
	}
}

func (e *fakeEngine) Lookup(ctx context.Context, key linegate.Key) (linegate.Lookup, error) {
	e.mu.Lock()
	e.lookups++
	lookup, down, answered := e.find(key), e.down, e.answered
	e.mu.Unlock()
	if down != nil {
		return linegate.Lookup{}, down
	}
	if answered != nil {
		answered(key, lookup)
	}
	return lookup, ctx.Err()
}

func (e *fakeEngine) find(key linegate.Key) linegate.Lookup {
	names := e.index[key]
	if len(names) > 1 {
		return linegate.Lookup{Ambiguous: true}
	}
	for name := range names {
		return linegate.Lookup{Subscriber: e.subscribers[name]}
	}
	return linegate.Lookup{}
}

func (e *fakeEngine) EachSubscriber(_ context.Context, _ string, fn func(*linegate.Subscriber) error) error {
	e.mu.Lock()
	var all []*linegate.Subscriber
	for _, s := range e.subscribers {
		all = append(all, s)
	}
	down := e.down
	e.mu.Unlock()
	if down != nil {
		return down
	}
	slices.SortFunc(all, func(a, b *linegate.Subscriber) int { return cmp.Compare(a.Username, b.Username) })
	for _, s := range all {
		if err := fn(s); err != nil {
			return err
		}
	}
	return nil
}

func (e *fakeEngine) CountSubscribers(context.Context, string) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.subscribers), e.down
}

func (e *fakeEngine) Revision(context.Context) (int64, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return int64(len(e.feed)), e.down
}

func (e *fakeEngine) ID(context.Context) (string, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.id, e.down
}

func (e *fakeEngine) Feed(_ context.Context, after int64, limit int) ([]linegate.AuditEntry, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.feedReads++
	if e.down != nil {
		return nil, e.down
	}
	entries := e.feed[min(after, int64(len(e.feed))):]
	return slices.Clone(entries[:min(len(entries), limit)]), nil
}

func (e *fakeEngine) Changed(ctx context.Context) error {
	e.mu.Lock()
	changed, down := e.changed, e.down
	e.mu.Unlock()
	if down != nil {
		return down
	}
	select {
	case <-changed:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// put commits the subscriber as it is now and returns the revision.
func (e *fakeEngine) put(s *linegate.Subscriber) int64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.write(s.Tenant, s.Username, s.Clone())
}

// remove deletes a subscriber and returns the revision.
func (e *fakeEngine) remove(tenant, username string) int64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.write(tenant, username, nil)
}

// write replaces what the subscriber was by what it is, nil for none.
func (e *fakeEngine) write(tenant, username string, now *linegate.Subscriber) int64 {
	name := tenant + "\x00" + username
	change := linegate.AuditEntry{Revision: int64(len(e.feed)) + 1, Kind: linegate.AuditSubscriber, Tenant: tenant, Name: username, Outcome: linegate.Deleted}
	if before := e.subscribers[name]; before != nil {
		change.Keys = append(change.Keys, before.Keys()...)
		for _, key := range before.Keys() {
			delete(e.index[key], name)
		}
		delete(e.subscribers, name)
	}
	if now != nil {
		now.Revision, change.Outcome = change.Revision, linegate.Changed
		e.subscribers[name] = now
		for _, key := range now.Keys() {
			if e.index[key] == nil {
				e.index[key] = make(map[string]bool)
			}
			e.index[key][name] = true
			if !slices.Contains(change.Keys, key) {
				change.Keys = append(change.Keys, key)
			}
		}
	}
	e.commit(change)
	return change.Revision
}

// note commits a change that is no subscriber's.
func (e *fakeEngine) note(kind linegate.AuditKind, name string) int64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	revision := int64(len(e.feed)) + 1
	e.commit(linegate.AuditEntry{Revision: revision, Kind: kind, Name: name})
	return revision
}

func (e *fakeEngine) commit(change linegate.AuditEntry) {
	e.feed = append(e.feed, change)
	close(e.changed)
	e.changed = make(chan struct{})
}

// fail makes every method return err from now on; nil ends it.
func (e *fakeEngine) fail(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.down = err
}

func (e *fakeEngine) onAnswered(fn func(linegate.Key, linegate.Lookup)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.answered = fn
}

// deletedSince reports whether a subscriber was deleted by that revision or later.
func (e *fakeEngine) deletedSince(revision int64, username string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.ContainsFunc(e.feed[max(revision-1, 0):], func(change linegate.AuditEntry) bool {
		return change.Name == username && change.Outcome == linegate.Deleted
	})
}

func (e *fakeEngine) lookupCount() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.lookups
}

// subscriber makes one of tenant demo with a circuit and a MAC of its own.
func subscriber(number int) *linegate.Subscriber {
	return &linegate.Subscriber{
		ID:         fmt.Sprintf("00000000-0000-4000-8000-%012d", number),
		Tenant:     "demo",
		Username:   fmt.Sprintf("user%d", number),
		Credential: linegate.Credential{Kind: linegate.CredentialCleartext, Value: "secretpw"},
		Status:     linegate.StatusActive,
		Profile: &linegate.NetworkProfile{
			CircuitID: linegate.Octets(fmt.Sprintf("olt1 xpon 0/1/%d", number)),
			MAC:       linegate.MAC{2, byte(number >> 32), byte(number >> 24), byte(number >> 16), byte(number >> 8), byte(number)},
		},
	}
}

func nameKey(number int) linegate.Key {
	return linegate.NewKey("demo", linegate.ByUsername, fmt.Sprintf("user%d", number))
}

// bench is a cache in front of a fake engine, closed when the test ends.
type bench struct {
	*testing.T
	engine  *fakeEngine
	cache   *Cache
	applied chan int64 // revisions, as they are applied
}

func newBench(t *testing.T, options Options) *bench {
	b := &bench{T: t, engine: newFakeEngine(), applied: make(chan int64, 1<<16)}
	if options.MaxBytes == 0 {
		options.MaxBytes = 64 << 20
	}
	onChange := options.OnChange
	options.OnChange = func(entries []linegate.AuditEntry) {
		if onChange != nil {
			onChange(entries)
		}
		b.applied <- entries[len(entries)-1].Revision
	}
	cache, err := New(b.engine, options)
	require.NoError(t, err)
	t.Cleanup(cache.Close)
	b.cache = cache
	return b
}

// follow runs Follow until the test ends.
func (b *bench) follow() {
	ctx, cancel := context.WithCancel(b.Context())
	var following sync.WaitGroup
	following.Go(func() {
		if err := b.cache.Follow(ctx); err != nil {
			b.Errorf("follow: %v", err)
		}
	})
	b.Cleanup(func() {
		cancel()
		following.Wait()
	})
}

func (b *bench) warm() {
	b.Helper()
	require.NoError(b, b.cache.Warm(b.Context()))
}

// awaitApplied returns when the revision was applied.
func (b *bench) awaitApplied(revision int64) {
	b.Helper()
	for {
		select {
		case applied := <-b.applied:
			if applied >= revision {
				return
			}
		case <-time.After(20 * time.Second):
			b.Fatalf("revision %d is not applied", revision)
		}
	}
}

func (b *bench) load(key linegate.Key) linegate.Lookup {
	b.Helper()
	lookup, err := b.cache.Load(b.Context(), key)
	require.NoError(b, err)
	b.cache.table.Wait()
	return lookup
}

// find fails the test unless the key is known.
func (b *bench) find(key linegate.Key) linegate.Lookup {
	b.Helper()
	lookup, known := b.cache.Find([]byte(key), new(linegate.Room))
	if !known {
		b.Fatalf("%q is not in memory", key)
	}
	return lookup
}

func (b *bench) knows(key linegate.Key) bool {
	_, known := b.cache.Find([]byte(key), new(linegate.Room))
	return known
}

// clock is one that tests turn.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)} }

func (c *clock) read() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// awaitCurrent returns when the feed was read to its end.
func (b *bench) awaitCurrent() {
	b.Helper()
	require.Eventually(b, func() bool { return b.cache.Stats().Current }, 20*time.Second, time.Millisecond)
}
