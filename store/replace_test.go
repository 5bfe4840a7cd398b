package store_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"

	"linegate"
	"linegate/store"
)

func TestReplaceSaysWhatBecomesOfASubscriber(t *testing.T) {
	onLine := func(circuit linegate.Octets) *linegate.Subscriber {
		sub := &linegate.Subscriber{Tenant: "demo", Username: "alice", Profile: &linegate.NetworkProfile{CircuitID: circuit}}
		sub.Normalize()
		return sub
	}
	created := onLine("here")
	entry := store.Replace(created, nil)
	assert.Equal(t, linegate.Created, entry.Outcome)
	assert.NotEmpty(t, created.ID)
	assert.Equal(t, created.ID, entry.ID)
	assert.Equal(t, created.Keys(), entry.Keys)

	again := onLine("here")
	assert.Equal(t, linegate.Unchanged, store.Replace(again, created).Outcome)
	assert.Equal(t, created.ID, again.ID)

	moved := onLine("there")
	entry = store.Replace(moved, created)
	assert.Equal(t, linegate.Changed, entry.Outcome)
	assert.Equal(t, created.ID, moved.ID)
	for _, key := range slices.Concat(created.Keys(), moved.Keys()) {
		assert.Equal(t, 1, countOf(entry.Keys, key), "%q: found by it before or after", key)
	}
}

func countOf(keys []linegate.Key, wanted linegate.Key) (count int) {
	for _, key := range keys {
		if key == wanted {
			count++
		}
	}
	return count
}
