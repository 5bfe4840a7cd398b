package cache

import (
	"context"
	"fmt"
	"sync"

	"linegate"
)

// shard guards the loads of a part of the keys and counts their finds. Find
// never takes its lock.
type shard struct {
	mu      sync.Mutex
	flights map[linegate.Key]*flight
	counts  counts
}

// flight is one load that is under way, and all who wait for it.
type flight struct {
	done chan struct{} // closed when the fields below hold
	// abandoned: the loader's own time ran out, which says nothing about the key.
	abandoned bool
	lookup    linegate.Lookup
	err       error

	stale bool // guarded by shard.mu: the key changed since the store was asked
}

// Load asks the store, once for all who ask for the same key at the same time,
// and keeps the answer for Find. When MaxLoads lookups are under way it waits
// until ctx ends, and then returns linegate.ErrOverloaded. Errors of the engine
// (linegate.ErrUnavailable) are returned as they are, and nothing is kept.
func (c *Cache) Load(ctx context.Context, key linegate.Key) (linegate.Lookup, error) {
	hash := c.hash(key)
	shard := c.shard(hash)
	for {
		flight, leads := shard.board(key)
		if leads {
			c.fly(ctx, shard, flight, hash, key)
			return flight.lookup, flight.err
		}
		select {
		case <-flight.done:
			if !flight.abandoned {
				return flight.lookup, flight.err
			}
		case <-ctx.Done():
			return linegate.Lookup{}, fmt.Errorf("load: %w: %w", linegate.ErrOverloaded, context.Cause(ctx))
		}
	}
}

// fly asks the store until the answer is one that no change has overtaken.
func (c *Cache) fly(ctx context.Context, shard *shard, flight *flight, hash uint64, key linegate.Key) {
	defer shard.land(flight, key)
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	case <-ctx.Done():
		flight.err = fmt.Errorf("load: %w: %w", linegate.ErrOverloaded, context.Cause(ctx))
		return
	}
	for settled := false; !settled; {
		// What was read before there is a position to follow from could change
		// without anybody hearing of it.
		followed := c.position.Load() != positionUnknown
		shard.counts.loads.Add(1)
		lookup, err := c.engine.Lookup(ctx, key)
		if err != nil {
			shard.counts.loadErrors.Add(1)
			flight.err = err
			flight.abandoned = ctx.Err() != nil
			return
		}
		settled = shard.settle(flight, key, func() {
			flight.lookup, flight.abandoned = lookup, false
			if followed {
				c.keep(hash, key, lookup)
			}
		})
	}
}

// board joins the key's flight, or begins one that the caller leads.
func (s *shard) board(key linegate.Key) (joined *flight, leads bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if flight := s.flights[key]; flight != nil {
		return flight, false
	}
	// Abandoned until proven otherwise: should the engine panic, nobody takes the
	// zero Lookup for an answer.
	begun := &flight{done: make(chan struct{}), abandoned: true}
	s.flights[key] = begun
	return begun, true
}

// settle runs keep and ends the flight, unless a change has overtaken its
// answer. From then on nobody joins it: whoever asks later may have seen a
// change that this answer doesn't know.
func (s *shard) settle(flight *flight, key linegate.Key, keep func()) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if flight.stale {
		flight.stale = false
		return false
	}
	keep()
	delete(s.flights, key)
	return true
}

// land lets go all who wait.
func (s *shard) land(flight *flight, key linegate.Key) {
	s.mu.Lock()
	if s.flights[key] == flight {
		delete(s.flights, key)
	}
	s.mu.Unlock()
	close(flight.done)
}
