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
	// octetsPerCounter sizes the table's frequency sketch: several counters for
	// every entry that fits, about 3 % of MaxBytes.
	octetsPerCounter = 128
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

	table     *ristretto.Cache[uint64, *entry] // keyed by the hash of entry.key
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
	table, err := ristretto.NewCache(&ristretto.Config[uint64, *entry]{
		NumCounters:        max(options.MaxBytes/octetsPerCounter, 1024),
		MaxCost:            options.MaxBytes,
		BufferItems:        64,
		IgnoreInternalCost: true, // entry.cost counts it
		KeyToHash:          func(hash uint64) (uint64, uint64) { return hash, 0 },
	})
	if err != nil {
		return nil, fmt.Errorf("cache: %w", err)
	}
	c := &Cache{
		engine:    engine,
		options:   options,
		seed:      maphash.MakeSeed(),
		born:      options.Clock(),
		table:     table,
		negatives: newNegatives(options.NegativeEntries),
		slots:     make(chan struct{}, options.MaxLoads),
		reload:    make(chan linegate.Key, reloadQueue),
	}
	for i := range c.shards {
		c.shards[i].flights = make(map[linegate.Key]*flight)
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
// linegate.AppendKey. Find never blocks, does not allocate and does not keep key.
func (c *Cache) Find(key []byte) (lookup linegate.Lookup, known bool) {
	hash := maphash.Bytes(c.seed, key)
	counts := &c.shard(hash).counts
	now := c.age()
	// The table knows only hashes: an entry for another key must not answer.
	behind := time.Duration(c.behindSince.Load())
	oldest := max(behind, time.Duration(c.validFrom.Load()))
	if e, found := c.table.Get(hash); found && e.loadedAt >= oldest && string(e.key) == string(key) && !c.outdated(now) {
		counts.hits.Add(1)
		c.refreshWhenDue(e, now)
		return e.lookup, true
	}
	if behind != caughtUp || c.away.Load() { // "nobody" might be wrong by now
		counts.misses.Add(1)
		return linegate.Lookup{}, false
	}
	if c.negatives.hold(hash, key, now) {
		counts.negativeHits.Add(1)
		return linegate.Lookup{}, true
	}
	if c.denies(hash, now) {
		counts.filteredUnknown.Add(1)
		return linegate.Lookup{}, true
	}
	counts.misses.Add(1)
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
func (c *Cache) refreshWhenDue(e *entry, now time.Duration) {
	due := e.refreshAt.Load()
	if int64(now) >= due && e.refreshAt.CompareAndSwap(due, int64(now+refreshRetry)) {
		c.reloadLater(e.key)
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

// keep stores what a load brought. The caller holds the key's shard, so that no
// change is applied between its judging the answer fresh and this.
func (c *Cache) keep(hash uint64, key linegate.Key, lookup linegate.Lookup) {
	if lookup == (linegate.Lookup{}) {
		c.table.Del(hash)
		c.negatives.put(hash, key, c.age()+c.options.NegativeTTL)
		return
	}
	c.negatives.forget(hash, key)
	lookup, sharers := c.shared(lookup)
	e := c.newEntry(hash, key, lookup)
	c.table.Set(hash, e, e.cost(sharers))
}

// shared returns the same answer with the copy of its subscriber that stands under
// another of its keys, if there is one of the same state: keys loaded one by one
// would each hold a copy of their own.
func (c *Cache) shared(lookup linegate.Lookup) (same linegate.Lookup, sharers int) {
	if lookup.Subscriber == nil {
		return lookup, 1
	}
	keys := lookup.Subscriber.Keys()
	for _, key := range keys {
		e, found := c.table.Get(c.hash(key))
		if !found || e.key != key || e.lookup.Subscriber == nil {
			continue
		}
		if held := e.lookup.Subscriber; held.ID == lookup.Subscriber.ID && held.Revision == lookup.Subscriber.Revision {
			return e.lookup, len(keys)
		}
	}
	return lookup, len(keys)
}

// forget makes sure that the key's old answer is neither found nor comes back:
// a load that is under way will ask again. It is complete once the table has
// worked off its queue (Wait).
func (c *Cache) forget(key linegate.Key) {
	hash := c.hash(key)
	shard := c.shard(hash)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	if flight := shard.flights[key]; flight != nil {
		flight.stale = true
	}
	c.table.Del(hash)
	c.negatives.forget(hash, key)
}
