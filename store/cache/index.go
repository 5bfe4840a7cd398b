package cache

import "sync"

// index finds the entry of a key by the key's hash. The table bounds what there is
// and says what goes; the index leads to it under each of its keys. It is safe for
// concurrent use.
type index struct{ shards [shardCount]indexShard }

// indexShard is padded so that shards don't share a cache line.
type indexShard struct {
	mu      sync.RWMutex
	entries map[uint64]*entry
	_       [64]byte
}

func (x *index) shard(hash uint64) *indexShard { return &x.shards[hash%shardCount] }

// get returns nil for a hash that leads nowhere.
func (x *index) get(hash uint64) *entry {
	shard := x.shard(hash)
	shard.mu.RLock()
	e := shard.entries[hash]
	shard.mu.RUnlock()
	return e
}

func (x *index) put(hash uint64, e *entry) {
	shard := x.shard(hash)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	if shard.entries == nil {
		shard.entries = make(map[uint64]*entry)
	}
	shard.entries[hash] = e
}

// remove takes the hash away if it leads to that entry.
func (x *index) remove(hash uint64, e *entry) {
	shard := x.shard(hash)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	if shard.entries[hash] == e {
		delete(shard.entries, hash)
	}
}
