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
	assert.LessOrEqual(t, len(x.shard(7).slots), 64)
}

func TestAnEmptyIndexLeadsNowhere(t *testing.T) {
	var x index
	assert.Nil(t, x.get(1))
	x.remove(1, &entry{})
	x.put(1, &entry{})
	x.remove(2, nil)
	assert.Equal(t, 1, x.shard(1).used)
}
