package cache

import "sync/atomic"

// Stats is what the cache has done since it was made, and how it stands.
type Stats struct {
	Hits            uint64 // finds that an entry answered
	NegativeHits    uint64 // finds answered "nobody" by an earlier load
	FilteredUnknown uint64 // finds answered "nobody" because no such key exists
	Misses          uint64 // finds left to Load
	Loads           uint64 // lookups in the store
	LoadErrors      uint64 // of them failed
	ReloadsDropped  uint64 // keys not loaded again by themselves, as too many waited

	LeftOut  int64 // subscribers for whom there was no room when memory was filled
	Octets   int64 // that entries take, by estimate
	Keys     int64 // known to exist, those of the deleted since the start included
	Reloads  int   // keys that wait to be loaded again
	Revision int64 // newest change applied; -1 before Warm
	Current  bool  // the change feed was read to its end within the last seconds
}

// counts is padded so that shards don't share a cache line.
type counts struct {
	hits, negativeHits, filteredUnknown, misses, loads, loadErrors atomic.Uint64
	_                                                              [64]byte
}

// Stats adds up the counters. It walks over all shards: meant for a collector,
// not for each request.
func (c *Cache) Stats() Stats {
	stats := Stats{
		ReloadsDropped: c.reloadsDropped.Load(),
		LeftOut:        c.leftOut.Load(),
		Octets:         c.table.MaxCost() - c.table.RemainingCost(),
		Reloads:        len(c.reload),
		Revision:       c.position.Load(),
		Current:        c.current(c.age()),
	}
	if filter := c.filter.Load(); filter != nil {
		stats.Keys = filter.keys.Load()
	}
	for i := range c.shards {
		counts := &c.shards[i].counts
		stats.Hits += counts.hits.Load()
		stats.NegativeHits += counts.negativeHits.Load()
		stats.FilteredUnknown += counts.filteredUnknown.Load()
		stats.Misses += counts.misses.Load()
		stats.Loads += counts.loads.Load()
		stats.LoadErrors += counts.loadErrors.Load()
	}
	return stats
}
