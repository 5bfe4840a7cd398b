package cache

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
)

// Whatever is put and taken away, the index holds what a map would.
func TestTheIndexIsAMap(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var x index
	model := map[uint64]*entry{}
	// Few hashes of one shard, many of which begin at the same slot.
	hash := func() uint64 { return random.Uint64N(40)*shardCount*8 + 7 }
	entries := []*entry{{}, {}, {}}
	for range 100_000 {
		h, e := hash(), entries[random.IntN(len(entries))]
		switch random.IntN(3) {
		case 0, 1:
			x.put(h, e)
			model[h] = e
		default:
			x.remove(h, e)
			if model[h] == e {
				delete(model, h)
			}
		}
		for h := range uint64(40) {
			h = h*shardCount*8 + 7
			if x.get(h) != model[h] {
				t.Fatalf("hash %d: the index and the map differ", h)
			}
		}
	}
	assert.Equal(t, len(model), x.shard(7).used)
	assert.LessOrEqual(t, len(*x.shard(7).slots.Load()), 64)
}

func TestAnEmptyIndexLeadsNowhere(t *testing.T) {
	var x index
	assert.Nil(t, x.get(1))
	x.remove(1, &entry{})
	x.put(1, &entry{})
	x.remove(2, nil)
	assert.Equal(t, 1, x.shard(1).used)
}

// Whatever one writer does, a reader gets nothing or an entry that was put.
func TestTheIndexIsReadWhileItChanges(t *testing.T) {
	var x index
	entries := map[*entry]bool{}
	var ordered []*entry
	for range 40 {
		e := &entry{}
		entries[e], ordered = true, append(ordered, e)
	}
	hash := func(i int) uint64 { return uint64(i)*shardCount*8 + 7 }
	x.put(hash(0), ordered[0]) // stays, at the front of its search
	done := make(chan struct{})
	go func() {
		defer close(done)
		random := rand.New(rand.NewPCG(1, 2))
		for range 100_000 {
			if i := 1 + random.IntN(39); random.IntN(2) == 0 {
				x.put(hash(i), ordered[i])
			} else {
				x.remove(hash(i), ordered[i])
			}
		}
	}()
	for reading := true; reading; {
		select {
		case <-done:
			reading = false
		default:
		}
		for i := range 40 {
			if e := x.get(hash(i)); e != nil && !entries[e] {
				t.Fatal("an entry that nobody put")
			}
		}
	}
	assert.Same(t, ordered[0], x.get(hash(0)))
}
