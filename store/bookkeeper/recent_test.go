package bookkeeper

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"linegate"
)

func TestTheNewestOfASetAreRemembered(t *testing.T) {
	r := newRecent()
	hash := func(subscriber int) uint64 { return uint64(subscriber+1)<<32 | 7 } // all of one set
	at := func(subscriber int) mark {
		return markOf(hash(subscriber), noon.Add(time.Duration(subscriber)*time.Second), linegate.Option82Match)
	}
	for subscriber := range recentWays + 1 {
		r.remember(hash(subscriber), at(subscriber))
	}
	assert.False(t, r.holds(hash(0), at(0)), "the oldest made room")
	for subscriber := 1; subscriber <= recentWays; subscriber++ {
		assert.True(t, r.holds(hash(subscriber), at(subscriber)))
	}

	other := markOf(hash(2), noon.Add(2*time.Second), linegate.Option82Missing)
	assert.False(t, r.holds(hash(2), other))
	r.remember(hash(2), other)
	assert.True(t, r.holds(hash(2), other))
	assert.False(t, r.holds(hash(2), at(2)), "each has one mark: the last")
	assert.True(t, r.holds(hash(3), at(3)), "and takes no other's place")
	assert.False(t, r.holds(hash(3), markOf(hash(3), noon.Add(2*time.Second), linegate.Option82Match)), "what was before is not a repetition")
}
