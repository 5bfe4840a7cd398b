package cache

import "sync/atomic"

// index finds the entry of a key by the key's hash. The table bounds what there is
// and says what goes; the index leads to it under each of its keys. Many may look while
// one changes it, without a lock, whose memory the CPUs would hand to and fro: while a
// hash is taken away, one that is looked for beside it may not be found, which is a miss,
// or another's entry may be, which knows its keys.
type index struct{ shards [shardCount]indexShard }

// indexShard is an open table with linear probing: a find touches one place in memory
// where a map touches several, and memory is what a find waits for.
type indexShard struct {
	slots atomic.Pointer[[]indexSlot] // a power of two of them, a quarter of them free; nil at first
	used  int                         // the writer's
}

// indexSlot is free without an entry.
type indexSlot struct {
	hash  atomic.Uint64
	entry atomic.Pointer[entry]
}

// leastSlots is how many slots a shard has from its first entry on.
const leastSlots = 16

func (x *index) shard(hash uint64) *indexShard { return &x.shards[hash%shardCount] }

// get returns nil for a hash that leads nowhere.
func (x *index) get(hash uint64) *entry {
	slots := x.shard(hash).slots.Load()
	if slots == nil {
		return nil
	}
	return (*slots)[find(*slots, hash)].entry.Load()
}

func (x *index) put(hash uint64, e *entry) {
	shard := x.shard(hash)
	slots := shard.withRoom()
	slot := &slots[find(slots, hash)]
	if slot.entry.Load() == nil {
		shard.used++
	}
	slot.set(hash, e)
}

// remove takes the hash away if it leads to that entry.
func (x *index) remove(hash uint64, e *entry) {
	shard := x.shard(hash)
	slots := shard.slots.Load()
	if slots == nil || e == nil {
		return
	}
	if at := find(*slots, hash); (*slots)[at].entry.Load() == e {
		shard.used--
		free(*slots, at)
	}
}

// set makes the slot lead to the entry once its hash is told.
func (s *indexSlot) set(hash uint64, e *entry) {
	s.hash.Store(hash)
	s.entry.Store(e)
}

// withRoom returns the slots with room for one more hash.
func (s *indexShard) withRoom() []indexSlot {
	var before []indexSlot
	if slots := s.slots.Load(); slots != nil {
		before = *slots
	}
	if 4*(s.used+1) <= 3*len(before) {
		return before
	}
	grown := make([]indexSlot, max(leastSlots, 2*len(before)))
	for i := range before {
		if e := before[i].entry.Load(); e != nil {
			hash := before[i].hash.Load()
			grown[find(grown, hash)].set(hash, e)
		}
	}
	s.slots.Store(&grown)
	return grown
}

// home is where the search for a hash begins.
func home(slots []indexSlot, hash uint64) int { return int(hash/shardCount) & (len(slots) - 1) }

func next(slots []indexSlot, at int) int { return (at + 1) & (len(slots) - 1) }

// find returns the slot of the hash, or the free one where it would stand.
func find(slots []indexSlot, hash uint64) int {
	at := home(slots, hash)
	for slots[at].entry.Load() != nil && slots[at].hash.Load() != hash {
		at = next(slots, at)
	}
	return at
}

// free empties a slot and moves those behind it up, so that no search ends before it
// has come to its slot.
func free(slots []indexSlot, at int) {
	mask := len(slots) - 1
	for other := next(slots, at); slots[other].entry.Load() != nil; other = next(slots, other) {
		hash := slots[other].hash.Load()
		if (other-home(slots, hash))&mask >= (other-at)&mask {
			slots[at].set(hash, slots[other].entry.Load())
			at = other
		}
	}
	slots[at].entry.Store(nil)
}
