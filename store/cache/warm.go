package cache

import (
	"context"
	"fmt"

	"linegate"
)

const (
	// setsPerWait keeps the warm-up from overrunning the table's queue of 32,768,
	// which would drop entries.
	setsPerWait = 4096
	// keysPerSubscriber sizes the filter with room to grow: most subscribers have a
	// name, and a circuit in octets and in the form of its comparison.
	keysPerSubscriber = 4
)

// Warm loads all subscribers under all of their keys, as many as MaxBytes holds,
// and learns which keys there are. It fixes the revision that Follow begins with.
// When it fails it can be called again, or left to Follow; once it is complete it
// does nothing.
func (c *Cache) Warm(ctx context.Context) error {
	c.warming.Lock()
	defer c.warming.Unlock()
	if c.filter.Load() != nil {
		return nil
	}
	if err := c.fixPosition(ctx); err != nil {
		return fmt.Errorf("warm cache: %w", err)
	}
	count, err := c.engine.CountSubscribers(ctx, "")
	if err != nil {
		return fmt.Errorf("warm cache: %w", err)
	}
	scan := newScan(c, count)
	if err := c.engine.EachSubscriber(ctx, "", scan.take); err != nil {
		return fmt.Errorf("warm cache: %w", err)
	}
	scan.fillTable()
	for key := range scan.shared {
		if _, err := c.Load(ctx, key); err != nil {
			return fmt.Errorf("warm cache: %w", err)
		}
	}
	c.table.Wait()
	c.filter.Store(scan.filter)
	return nil
}

// fixPosition reads the revision before anything else is read: what the feed
// tells twice does no harm, what it never tells would.
func (c *Cache) fixPosition(ctx context.Context) error {
	if c.position.Load() != positionUnknown {
		return nil
	}
	source, err := c.engine.ID(ctx)
	if err != nil {
		return err
	}
	revision, err := c.engine.Revision(ctx)
	if err != nil {
		return err
	}
	c.source = source
	c.heardAt.Store(int64(c.age()))
	c.position.Store(revision)
	return nil
}

// scan is what one pass over all subscribers gathers. Nothing goes into the table
// before the pass is over: until then it isn't known which keys several
// subscribers share, and the first of them must not be taken for the only one.
type scan struct {
	cache   *Cache
	filter  *filter
	entries []*entry // as many as the table has room for
	octets  int64
	leftOut int64
	shared  map[linegate.Key]bool // keys seen twice, and the filter's few errors
}

// newScan prepares for so many subscribers; more cost a filter that grows.
func newScan(c *Cache, subscribers int) *scan {
	return &scan{cache: c, filter: newFilter(keysPerSubscriber * subscribers), shared: make(map[linegate.Key]bool)}
}

func (s *scan) take(subscriber *linegate.Subscriber) error {
	keys := subscriber.Keys()
	for _, key := range keys {
		if !s.filter.add(s.cache.hash(key)) {
			s.shared[key] = true
		}
	}
	e := s.cache.newEntry(keys[0], linegate.Lookup{Subscriber: subscriber})
	if octets := e.cost(len(keys)); s.octets+octets <= s.cache.options.MaxBytes {
		s.entries = append(s.entries, e)
		s.octets += octets
	} else {
		s.leftOut++
	}
	return nil
}

// fillTable sets the entries, each under those of its keys that no other has.
func (s *scan) fillTable() {
	c := s.cache
	for i, e := range s.entries {
		keys := e.keys()
		for _, key := range keys {
			if !s.shared[key] {
				c.indexing.Lock()
				replaced := c.lead(c.hash(key), e)
				c.indexing.Unlock()
				c.release(replaced)
			}
		}
		c.settle(e, len(keys))
		if i%setsPerWait == setsPerWait-1 {
			c.table.Wait()
		}
	}
	c.table.Wait()
	c.leftOut.Store(s.leftOut)
}
