// Package cache keeps what a store.Engine knows about subscribers in memory, so
// that a request can be decided without waiting for the store. It follows the
// engine's change feed: once a change was applied, no older state of it is seen
// again. The table may forget anything at any time, so it is never the only copy
// and a miss means "ask the store", not "nobody". The package never writes to
// the store and never decides anything about a subscriber.
package cache

import (
	"fmt"
	"hash/maphash"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dgraph-io/ristretto/v2"

	"linegate"
	"linegate/store"
)

// Options tune a Cache; zero fields get the default.
type Options struct {
	MaxBytes        int64         // what entries may take, by estimate; default 1 GiB
	NegativeEntries int           // how many "nobody" answers are kept at most; default 65,536
	NegativeTTL     time.Duration // how long one of them holds; default 5 s
	// TTL is the age by which an entry in use is loaded again behind the scenes, in
	// case the feed missed something; until that worked it goes on being served.
	// Default 5 min.
	TTL      time.Duration
	MaxLoads int          // lookups in the store at once; default 64
	Logger   *slog.Logger // default: none
	// FailStatic is how long memory goes on answering while the feed can't be read;
	// after that it knows nothing. 0: until the feed is back.
	FailStatic time.Duration
	// OnReset is told when the store turned out to be another, or to have gone back
	// in time: all that was known of it is void, and memory is filled anew.
	OnReset func()
	// OnChange is told of every batch of changes, of all kinds and in order, after
	// the cache has applied it. Following stands still while it runs.
	OnChange func([]linegate.AuditEntry)
	Clock    func() time.Time // default time.Now
}

func (o Options) withDefaults() Options {
	o.MaxBytes = orDefault(o.MaxBytes, 1<<30)
	o.NegativeEntries = orDefault(o.NegativeEntries, 65_536)
	o.NegativeTTL = orDefault(o.NegativeTTL, 5*time.Second)
	o.TTL = orDefault(o.TTL, 5*time.Minute)
	o.MaxLoads = orDefault(o.MaxLoads, 64)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.OnChange == nil {
		o.OnChange = func([]linegate.AuditEntry) {}
	}
	if o.OnReset == nil {
		o.OnReset = func() {}
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	return o
}

func orDefault[T int | int64 | time.Duration](value, fallback T) T {
	if value <= 0 {
		return fallback
	}
	return value
}

const (
	shardCount = 256 // a power of two
	// reloadQueue is how many keys wait for their reload at most: those of a change
	// of 170,000 subscribers. Keys beyond are loaded when somebody asks.
	reloadQueue = 1 << 19
	// octetsPerCounter sizes the table's frequency sketch: one or two counters for
	// every entry that fits, about 2 % of MaxBytes.
	octetsPerCounter = 256
	// Once less than a scarcePart of MaxBytes is left, the table learns of one find in
	// touchEvery, to tell what is in use: that shows it as well as all of them.
	scarcePart = 8
	touchEvery = 32
	// positionUnknown is the position before Warm has fixed where Follow begins.
	positionUnknown = -1
	// neverRead is feedReadAt while nobody follows.
	neverRead = -1
	// caughtUp is behindSince while there is no long tail of changes to apply.
	caughtUp = 0
)

// Cache answers by key from memory and reads through to an engine. Make one with
// New. It is safe for concurrent use.
type Cache struct {
	engine  store.Engine
	options Options
	seed    maphash.Seed
	born    time.Time

	table     *ristretto.Cache[uint64, *entry] // keyed by entry.state; says what stays in memory
	scarce    atomic.Bool                      // the table has been nearly full
	index     index                            // leads there by the hash of a key
	indexing  sync.Mutex                       // held by who changes the index
	negatives *negatives
	filter    atomic.Pointer[filter] // of all keys there are; nil until Warm is complete
	shards    [shardCount]shard

	slots  chan struct{}     // taken by each lookup in the store
	reload chan linegate.Key // to be loaded again by Follow's workers

	warming    sync.Mutex   // held by Warm
	position   atomic.Int64 // the newest revision applied
	feedReadAt atomic.Int64 // age of the cache at the last read to the end of the feed
	// behindSince is the age at which a long tail of changes was found, caughtUp
	// while there is none. What was loaded before it may have changed, so it is not
	// answered, and what is not there may have come.
	behindSince atomic.Int64
	// validFrom is the age before which nothing that was loaded counts any more.
	validFrom      atomic.Int64
	reloadsDropped atomic.Uint64
	leftOut        atomic.Int64 // subscribers for whom Warm found no room

	away    atomic.Bool  // the last attempt to read the feed failed
	heardAt atomic.Int64 // age of the cache when the store was last heard of
	// source and doubtful belong to Warm, Restore and Follow, which don't overlap:
	// the ID of the store that memory was filled from, and whether what answers now
	// may be another.
	source   string
	doubtful bool
}

// New returns an empty Cache in front of the engine. Warm fills it and Follow
// keeps it true; until Warm has begun, nothing is kept.
func New(engine store.Engine, options Options) (*Cache, error) {
	options = options.withDefaults()
	c := &Cache{
		engine:    engine,
		options:   options,
		seed:      maphash.MakeSeed(),
		born:      options.Clock(),
		negatives: newNegatives(options.NegativeEntries),
		slots:     make(chan struct{}, options.MaxLoads),
		reload:    make(chan linegate.Key, reloadQueue),
	}
	for i := range c.shards {
		c.shards[i].flights = make(map[linegate.Key]*flight)
	}
	var err error
	c.table, err = ristretto.NewCache(&ristretto.Config[uint64, *entry]{
		NumCounters:        max(options.MaxBytes/octetsPerCounter, 1024),
		MaxCost:            options.MaxBytes,
		BufferItems:        64,
		IgnoreInternalCost: true, // entry.cost counts it
		KeyToHash:          func(state uint64) (uint64, uint64) { return state, 0 },
		OnEvict:            func(item *ristretto.Item[*entry]) { c.unindex(item.Value) },
		OnReject:           func(item *ristretto.Item[*entry]) { c.rejected(item.Value) },
	})
	if err != nil {
		return nil, fmt.Errorf("cache: %w", err)
	}
	c.position.Store(positionUnknown)
	c.feedReadAt.Store(neverRead)
	return c, nil
}

// Close gives the memory back. Nothing may use the Cache any more when it is
// called.
func (c *Cache) Close() { c.table.Close() }

// Find answers from memory alone: known is false when only the store can tell
// (see Load). Nobody is the zero Lookup with known true. The key is one made by
// linegate.AppendKey; a subscriber is built in the room. Find never blocks, does not
// allocate and does not keep key.
func (c *Cache) Find(key []byte, room *linegate.Room) (lookup linegate.Lookup, known bool) {
	hash := maphash.Bytes(c.seed, key)
	tally := &c.shard(hash).counts
	now := c.age()
	if e := c.index.get(hash); e != nil && c.counts(e) && !c.outdated(now) {
		if lookup, known := e.answer(key, room); known {
			if tally.hits.Add(1)%touchEvery == 0 && c.scarce.Load() {
				c.table.Get(e.state)
			}
			c.refreshWhenDue(e, key, now)
			return lookup, true
		}
	}
	if c.behindSince.Load() != caughtUp || c.away.Load() { // "nobody" might be wrong by now
		tally.misses.Add(1)
		return linegate.Lookup{}, false
	}
	if c.negatives.hold(hash, key, now) {
		tally.negativeHits.Add(1)
		return linegate.Lookup{}, true
	}
	if c.denies(hash, now) {
		tally.filteredUnknown.Add(1)
		return linegate.Lookup{}, true
	}
	tally.misses.Add(1)
	return linegate.Lookup{}, false
}

// denies reports whether the key surely is nobody's. The filter can say so only
// while it has all keys, so while the feed was read a moment ago.
func (c *Cache) denies(hash uint64, now time.Duration) bool {
	filter := c.filter.Load()
	return filter != nil && c.current(now) && !filter.mayHave(hash)
}

// outdated reports whether the store was away for longer than memory may answer
// in its place.
func (c *Cache) outdated(now time.Duration) bool {
	limit := c.options.FailStatic
	return limit > 0 && c.away.Load() && now-time.Duration(c.heardAt.Load()) > limit
}

// refreshWhenDue has an entry that reached its age loaded again, without hurry:
// when that fails, the next use after a while asks anew.
func (c *Cache) refreshWhenDue(e *entry, key []byte, now time.Duration) {
	due := e.refreshAt.Load()
	if int64(now) >= due && e.refreshAt.CompareAndSwap(due, int64(now+refreshRetry)) {
		c.reloadLater(linegate.Key(key))
	}
}

// reloadLater queues a key for Follow's workers; when too many wait, it is left
// to whoever asks for it.
func (c *Cache) reloadLater(key linegate.Key) {
	select {
	case c.reload <- key:
	default:
		c.reloadsDropped.Add(1)
	}
}

// hash is the one that Find computes of the same key.
func (c *Cache) hash(key linegate.Key) uint64 { return maphash.String(c.seed, string(key)) }

func (c *Cache) shard(hash uint64) *shard { return &c.shards[hash%shardCount] }

// age is how long the cache exists: a clock that no adjustment of the wall clock
// turns back.
func (c *Cache) age() time.Duration { return c.options.Clock().Sub(c.born) }

// stateOf is what an answer is held under: one state of a subscriber, whichever key
// it was found by, or a key that several share.
func (c *Cache) stateOf(key linegate.Key, lookup linegate.Lookup) uint64 {
	if s := lookup.Subscriber; s != nil {
		return maphash.String(c.seed, s.ID) ^ uint64(s.Revision)*0x9e3779b97f4a7c15
	}
	return c.hash(key)
}

// keep stores what a load brought. The caller holds the key's shard, so that no
// change is applied between its judging the answer fresh and this.
func (c *Cache) keep(hash uint64, key linegate.Key, lookup linegate.Lookup) {
	if lookup == (linegate.Lookup{}) {
		c.release(c.detach(hash))
		c.negatives.put(hash, key, c.age()+c.options.NegativeTTL)
		return
	}
	c.negatives.forget(hash, key)
	keys := []linegate.Key{key}
	if lookup.Subscriber != nil {
		keys = lookup.Subscriber.Keys()
	}
	e := c.newEntry(key, lookup)
	c.indexing.Lock()
	if held := c.held(e, keys); held != nil {
		c.renew(held)
		e = held
	}
	replaced := c.lead(hash, e)
	c.indexing.Unlock()
	c.release(replaced)
	if kept, found := c.table.Get(e.state); !found || kept != e {
		c.settle(e, len(keys))
	}
}

// held returns the entry of the same state that stands under one of the keys, nil
// when there is none. One that is too old to count for its other keys doesn't become
// young by what was loaded for this one.
func (c *Cache) held(e *entry, keys []linegate.Key) *entry {
	for _, key := range keys {
		if other := c.index.get(c.hash(key)); other != nil && other.state == e.state && other.of == e.of && c.counts(other) {
			return other
		}
	}
	return nil
}

// counts reports whether an entry was loaded late enough to be believed.
func (c *Cache) counts(e *entry) bool {
	return e.loadedAt.Load() >= max(c.behindSince.Load(), c.validFrom.Load())
}

// lead makes a key lead to the entry, and returns the other one that it led to, if
// any. The caller holds indexing.
func (c *Cache) lead(hash uint64, e *entry) (replaced *entry) {
	if replaced = c.index.get(hash); replaced == e {
		return nil
	}
	c.index.put(hash, e)
	return replaced
}

// settle has the table take an entry that is indexed already.
func (c *Cache) settle(e *entry, keys int) {
	if !c.scarce.Load() && c.table.RemainingCost() < c.options.MaxBytes/scarcePart {
		c.scarce.Store(true)
	}
	if !c.table.Set(e.state, e, e.cost(keys)) { // its queue is full
		c.unindex(e)
	}
}

// detach takes the key away from its entry.
func (c *Cache) detach(hash uint64) *entry {
	c.indexing.Lock()
	defer c.indexing.Unlock()
	e := c.index.get(hash)
	if e != nil {
		c.index.remove(hash, e)
	}
	return e
}

// release gives back the memory of an entry to which no key leads any more.
func (c *Cache) release(e *entry) {
	if e == nil || c.indexed(e) {
		return
	}
	if kept, found := c.table.Get(e.state); found && kept == e {
		c.table.Del(e.state)
	}
}

func (c *Cache) indexed(e *entry) bool {
	c.indexing.Lock()
	defer c.indexing.Unlock()
	for _, key := range e.keys() {
		if c.index.get(c.hash(key)) == e {
			return true
		}
	}
	return false
}

// rejected is told of entries that found no room, and of those that the table has
// already.
func (c *Cache) rejected(e *entry) {
	if kept, found := c.table.Get(e.state); !found || kept != e {
		c.unindex(e)
	}
}

// unindex takes away all keys of an entry that the table has let go.
func (c *Cache) unindex(e *entry) {
	c.indexing.Lock()
	defer c.indexing.Unlock()
	for _, key := range e.keys() {
		c.index.remove(c.hash(key), e)
	}
}

// forget makes sure that the key's old answer is neither found nor comes back: a
// load that is under way will ask again.
func (c *Cache) forget(key linegate.Key) {
	hash := c.hash(key)
	shard := c.shard(hash)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	if flight := shard.flights[key]; flight != nil {
		flight.stale = true
	}
	c.release(c.detach(hash))
	c.negatives.forget(hash, key)
}
