package linegate_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"linegate"
)

func TestAPoolGivesTheLowestPlaceThatIsFree(t *testing.T) {
	pool := linegate.VLANPool{Ranges: []linegate.VLANRange{
		{First: 100, Last: 101, Capacity: 2},
		{First: 200, Last: 200, InnerFirst: 10, InnerLast: 11},
	}}
	used := linegate.VLANUsers{{Outer: 999}: 5}
	used.Add(linegate.VLANAssignment{VLANPair: linegate.VLANPair{Outer: 101}, Reserved: true})
	for _, due := range []linegate.VLANPair{{Outer: 100}, {Outer: 100}, {Outer: 200, Inner: 10}, {Outer: 200, Inner: 11}} {
		given, err := pool.Give(used)
		assert.NoError(t, err)
		assert.Equal(t, due, given)
		used.Add(linegate.VLANAssignment{VLANPair: given})
	}
	_, err := pool.Give(used)
	assert.ErrorIs(t, err, linegate.ErrExhausted)
	assert.ErrorContains(t, err, "all 6 places")
}

func TestOnlyWhatNobodyHoldsIsReserved(t *testing.T) {
	pool := linegate.VLANPool{Ranges: []linegate.VLANRange{{First: 100, Last: 101, Capacity: 20}}}
	used := linegate.VLANUsers{{Outer: 100}: 1}
	assert.ErrorIs(t, pool.Reserve(linegate.VLANPair{Outer: 100}, used), linegate.ErrConflict)
	assert.ErrorIs(t, pool.Reserve(linegate.VLANPair{Outer: 102}, used), linegate.ErrNotFound)
	assert.NoError(t, pool.Reserve(linegate.VLANPair{Outer: 101}, used))
}
