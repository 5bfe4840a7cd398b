package cache

import (
	"sync/atomic"
	"time"
	"unsafe"

	"linegate"
)

// refreshRetry is how long an entry that is due for a refresh waits before it is
// queued once more.
const refreshRetry = 10 * time.Second

// entry is one state of a subscriber, which answers to all of its keys, or that one
// key is shared by several.
type entry struct {
	of        packed       // the subscriber; empty with shared
	shared    linegate.Key // the key that several have; empty with of
	state     uint64       // what the table holds it under, see stateOf
	loadedAt  atomic.Int64 // age of the cache
	refreshAt atomic.Int64 // age of the cache at which to load it again
}

// newEntry makes an entry of what a lookup of the key brought.
func (c *Cache) newEntry(key linegate.Key, lookup linegate.Lookup) *entry {
	e := &entry{state: c.stateOf(key, lookup)}
	if lookup.Subscriber != nil {
		e.of = pack(lookup.Subscriber)
	} else {
		e.shared = key
	}
	c.renew(e)
	return e
}

// renew makes the entry as one loaded now. It is refreshed at an age of three
// quarters to all of the TTL, so that entries loaded together aren't refreshed
// together.
func (c *Cache) renew(e *entry) {
	now := c.age()
	spread := time.Duration(e.state % uint64(c.options.TTL/4+1))
	e.loadedAt.Store(int64(now))
	e.refreshAt.Store(int64(now + c.options.TTL - spread))
}

// answer returns what the entry says to a key, nothing when it is not one of its
// own: the index knows only hashes. A subscriber is built in the room.
func (e *entry) answer(key []byte, room *linegate.Room) (lookup linegate.Lookup, known bool) {
	if e.of == "" {
		return linegate.Lookup{Ambiguous: true}, string(e.shared) == string(key)
	}
	subscriber := unpack(e.of, room)
	return linegate.Lookup{Subscriber: subscriber}, subscriber.HasKey(key)
}

// keys are those that the entry answers to.
func (e *entry) keys() []linegate.Key {
	if e.of == "" {
		return []linegate.Key{e.shared}
	}
	return unpack(e.of, new(linegate.Room)).Keys()
}

// Octets that the table spends on an entry and the index on a key: slots of 56, 16
// and 16, of which tables that grow leave a quarter to five eighths empty.
const (
	entryOverhead = (56 + 16) * 7 / 4
	keyOverhead   = 16 * 7 / 4
)

// cost estimates the entry's memory in octets.
func (e *entry) cost(keys int) int64 {
	return int64(int(unsafe.Sizeof(*e)) + len(e.of) + len(e.shared) + entryOverhead + keys*keyOverhead)
}
