package cache

import (
	"sync/atomic"
	"time"

	"linegate"
)

// negatives remembers keys that were nobody's, one for each slot: a key that
// falls on a taken slot displaces the other, so that a flood of names costs no
// more than the slots. It is safe for concurrent use.
type negatives struct {
	slots []atomic.Pointer[negative]
}

type negative struct {
	key   linegate.Key
	until time.Duration // age of the cache
}

func newNegatives(entries int) *negatives {
	return &negatives{slots: make([]atomic.Pointer[negative], entries)}
}

func (n *negatives) slot(hash uint64) *atomic.Pointer[negative] {
	return &n.slots[hash%uint64(len(n.slots))]
}

func (n *negatives) put(hash uint64, key linegate.Key, until time.Duration) {
	n.slot(hash).Store(&negative{key: key, until: until})
}

func (n *negatives) hold(hash uint64, key []byte, now time.Duration) bool {
	held := n.slot(hash).Load()
	return held != nil && now < held.until && string(held.key) == string(key)
}

func (n *negatives) forget(hash uint64, key linegate.Key) {
	slot := n.slot(hash)
	if held := slot.Load(); held != nil && held.key == key {
		slot.CompareAndSwap(held, nil)
	}
}

func (n *negatives) clear() {
	for i := range n.slots {
		n.slots[i].Store(nil)
	}
}
