package cache

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestTheFilterHasEveryKeyItWasGivenHoweverFarItGrows(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	f := newFilter(0)
	var given []uint64
	for range 10 * minKeys {
		hash := random.Uint64()
		f.add(hash)
		given = append(given, hash)
	}
	for _, hash := range given {
		if !f.mayHave(hash) || f.add(hash) {
			t.Fatal("a key that was given is not there")
		}
	}
	assert.Greater(t, len(*f.layers.Load()), 2)
	assert.InEpsilon(t, len(given), f.keys.Load(), 0.01)

	falseAlarms := 0
	for range 20_000 {
		if f.mayHave(random.Uint64()) {
			falseAlarms++
		}
	}
	assert.Less(t, falseAlarms, 60, "0.06 % for each layer")
}

func TestAFilterSizedForItsKeysHasOneLayer(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	f := newFilter(2 * minKeys)
	for range 2 * minKeys {
		f.add(random.Uint64())
	}
	assert.Len(t, *f.layers.Load(), 1)
}
