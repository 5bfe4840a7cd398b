package cache

import (
	"math/bits"
	"sync/atomic"
)

const (
	// bitsPerKey and probes let a full layer take one unknown key in 1,700 for a
	// known one.
	bitsPerKey = 16
	probes     = 8
	minKeys    = 1 << 14 // of the first layer
)

// filter is a Bloom filter over the hashes of all keys: what it does not have,
// nobody has. It grows by layers, each twice the size of the one before, and
// forgets nothing: keys of the deleted go on being "perhaps". One goroutine at a
// time adds; mayHave is safe beside it.
type filter struct {
	layers atomic.Pointer[[]*layer]
	keys   atomic.Int64 // told apart so far
}

type layer struct {
	words []atomic.Uint64 // their number is a power of two
	room  int             // keys until the layer is full
}

// newFilter makes a filter with room for so many keys before it has to grow.
func newFilter(keys int) *filter {
	f := &filter{}
	f.layers.Store(&[]*layer{newLayer(max(keys, minKeys))})
	return f
}

func newLayer(keys int) *layer {
	words := uint64(keys) * bitsPerKey / 64
	return &layer{words: make([]atomic.Uint64, 1<<bits.Len64(words-1)), room: keys}
}

// add returns false for a key that it may have had already.
func (f *filter) add(hash uint64) bool {
	if f.mayHave(hash) {
		return false
	}
	layers := *f.layers.Load()
	last := layers[len(layers)-1]
	if last.room == 0 {
		last = newLayer(2 * len(last.words) * 64 / bitsPerKey)
		grown := append(layers[:len(layers):len(layers)], last)
		f.layers.Store(&grown)
	}
	last.add(hash)
	f.keys.Add(1)
	return true
}

func (f *filter) mayHave(hash uint64) bool {
	for _, layer := range *f.layers.Load() {
		if layer.mayHave(hash) {
			return true
		}
	}
	return false
}

func (l *layer) add(hash uint64) {
	for i := range uint64(probes) {
		word, bit := l.probe(hash, i)
		word.Or(bit)
	}
	l.room--
}

func (l *layer) mayHave(hash uint64) bool {
	for i := range uint64(probes) {
		word, bit := l.probe(hash, i)
		if word.Load()&bit == 0 {
			return false
		}
	}
	return true
}

// probe returns the i-th bit of a hash: the lower half of the hash is where the
// walk begins, the upper half its odd step.
func (l *layer) probe(hash, i uint64) (word *atomic.Uint64, bit uint64) {
	at := hash + i*(bits.RotateLeft64(hash, 32)|1)
	return &l.words[(at>>6)&uint64(len(l.words)-1)], 1 << (at & 63)
}
