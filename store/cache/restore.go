package cache

import (
	"context"
	"fmt"

	"linegate"
)

// Restore fills an empty cache from a copy that was taken of the store with that
// ID when it stood at that revision, for a server that starts while the store is
// away. Follow goes on from there, as after any other outage. Call it before Warm
// and Follow; keys that several subscribers share are left to the store.
func (c *Cache) Restore(source string, revision int64, subscribers []*linegate.Subscriber) {
	c.warming.Lock()
	defer c.warming.Unlock()
	scan := newScan(c, len(subscribers))
	for _, subscriber := range subscribers {
		_ = scan.take(subscriber) // keeps what has no room for the store, and never fails
	}
	scan.fillTable()
	c.source, c.doubtful = source, true
	c.away.Store(true)
	c.heardAt.Store(int64(c.age()))
	c.position.Store(revision)
	c.filter.Store(scan.filter)
}

// lose notes that the feed can't be read: what is known is served on, but nobody
// is denied any more, and what answers next has to show that it is the same store.
func (c *Cache) lose() {
	c.away.Store(true)
	c.doubtful = true
}

// verify makes sure, after an outage, that the feed goes on where memory stands.
// Another store behind the same address, or one that was restored from a backup,
// makes void what is known.
func (c *Cache) verify(ctx context.Context) error {
	position := c.position.Load()
	if !c.doubtful || position == positionUnknown {
		return nil
	}
	source, err := c.engine.ID(ctx)
	if err != nil {
		return fmt.Errorf("identity of the store: %w", err)
	}
	revision, err := c.engine.Revision(ctx)
	if err != nil {
		return fmt.Errorf("revision of the store: %w", err)
	}
	c.doubtful = false
	if source == c.source && revision >= position {
		return nil
	}
	c.options.Logger.Warn("the store is another than before, or went back in time: memory is filled anew",
		"store_id", source, "store_id_before", c.source, "revision", revision, "revision_before", position)
	c.reset()
	c.options.OnReset()
	return nil
}

// reset forgets everything, loads that are under way included.
func (c *Cache) reset() {
	c.position.Store(positionUnknown) // from here on loads are not kept
	for i := range c.shards {
		c.shards[i].overtake()
	}
	c.validFrom.Store(int64(c.age() + 1))
	c.negatives.clear()
	c.filter.Store(nil)
}

// overtake makes all loads that are under way ask again.
func (s *shard) overtake() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, flight := range s.flights {
		flight.stale = true
	}
}
