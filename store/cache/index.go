package cache

import "sync"

// index finds the entry of a key by the key's hash. The table bounds what there is
// and says what goes; the index leads to it under each of its keys. It is safe for
// concurrent use.
type index struct{ shards [shardCount]indexShard }

// indexShard is an open table with linear probing: a find touches one place in memory
// where a map touches several, and memory is what a find waits for. It is padded so
// that shards don't share a cache line.
type indexShard struct {
	mu    sync.RWMutex
	slots []indexSlot // a power of two of them, a quarter of them free; none at first
	used  int
	_     [64]byte
}

// indexSlot is free without an entry.
type indexSlot struct {
	hash  uint64
	entry *entry
}

// leastSlots is how many slots a shard has from its first entry on.
const leastSlots = 16

func (x *index) shard(hash uint64) *indexShard { return &x.shards[hash%shardCount] }

// get returns nil for a hash that leads nowhere.
func (x *index) get(hash uint64) *entry {
	shard := x.shard(hash)
	shard.mu.RLock()
	defer shard.mu.RUnlock()
	if len(shard.slots) == 0 {
		return nil
	}
	return shard.slots[shard.find(hash)].entry
}

func (x *index) put(hash uint64, e *entry) {
	shard := x.shard(hash)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	if 4*(shard.used+1) > 3*len(shard.slots) {
		shard.grow()
	}
	at := shard.find(hash)
	if shard.slots[at].entry == nil {
		shard.used++
	}
	shard.slots[at] = indexSlot{hash, e}
}

// remove takes the hash away if it leads to that entry.
func (x *index) remove(hash uint64, e *entry) {
	shard := x.shard(hash)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	if len(shard.slots) == 0 {
		return
	}
	if at := shard.find(hash); shard.slots[at].entry == e && e != nil {
		shard.used--
		shard.free(at)
	}
}

// home is where the search for a hash begins.
func (s *indexShard) home(hash uint64) int { return int(hash/shardCount) & (len(s.slots) - 1) }

func (s *indexShard) next(at int) int { return (at + 1) & (len(s.slots) - 1) }

// find returns the slot of the hash, or the free one where it would stand.
func (s *indexShard) find(hash uint64) int {
	at := s.home(hash)
	for s.slots[at].entry != nil && s.slots[at].hash != hash {
		at = s.next(at)
	}
	return at
}

func (s *indexShard) grow() {
	before := s.slots
	s.slots = make([]indexSlot, max(leastSlots, 2*len(before)))
	for _, slot := range before {
		if slot.entry != nil {
			s.slots[s.find(slot.hash)] = slot
		}
	}
}

// free empties a slot and moves those behind it up, so that no search ends before it
// has come to its slot.
func (s *indexShard) free(at int) {
	for other := s.next(at); s.slots[other].entry != nil; other = s.next(other) {
		mask := len(s.slots) - 1
		if (other-s.home(s.slots[other].hash))&mask >= (other-at)&mask {
			s.slots[at] = s.slots[other]
			at = other
		}
	}
	s.slots[at] = indexSlot{}
}
