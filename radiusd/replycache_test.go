package radiusd

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func cacheKey(identifier uint8) replyKey {
	return replyKey{source: netip.MustParseAddrPort("192.0.2.1:1812"), identifier: identifier}
}

func TestReplyCacheFollowsRFC5080(t *testing.T) {
	cache, now := newReplyCache(4, 5*time.Second), time.Unix(1000, 0)
	first, other := [16]byte{1}, [16]byte{2}

	seen, ticket, _ := cache.begin(cacheKey(1), first, now)
	assert.Equal(t, sightedNew, seen)
	seen, _, _ = cache.begin(cacheKey(1), first, now.Add(time.Second))
	assert.Equal(t, sightedInFlight, seen, "no answer yet")

	cache.finish(ticket, []byte("reply"), now.Add(2*time.Second))
	seen, _, reply := cache.begin(cacheKey(1), first, now.Add(6*time.Second))
	assert.Equal(t, sightedAnswered, seen)
	assert.Equal(t, "reply", string(reply))
	seen, _, _ = cache.begin(cacheKey(1), first, now.Add(8*time.Second))
	assert.Equal(t, sightedNew, seen, "expired")

	_, stale, _ := cache.begin(cacheKey(2), first, now)
	seen, fresh, _ := cache.begin(cacheKey(2), other, now)
	assert.Equal(t, sightedNew, seen, "another authenticator purges")
	cache.finish(stale, []byte("of the old one"), now)
	seen, _, _ = cache.begin(cacheKey(2), other, now)
	assert.Equal(t, sightedInFlight, seen, "a stale ticket changes nothing")
	cache.forget(stale)
	seen, _, _ = cache.begin(cacheKey(2), other, now)
	assert.Equal(t, sightedInFlight, seen, "nor when it is given up")
	cache.forget(fresh)
	seen, _, _ = cache.begin(cacheKey(2), other, now)
	assert.Equal(t, sightedNew, seen, "given up")
}

func TestReplyCacheIsBounded(t *testing.T) {
	cache, now := newReplyCache(4, 5*time.Second), time.Unix(1000, 0)
	for identifier := range uint8(10) {
		_, ticket, _ := cache.begin(cacheKey(identifier), [16]byte{1}, now)
		cache.finish(ticket, []byte{identifier}, now)
	}
	assert.Len(t, cache.slots, 4)
	assert.Len(t, cache.byKey, 4)
	assert.EqualValues(t, 6, cache.evictedEarly())
	seen, _, reply := cache.begin(cacheKey(9), [16]byte{1}, now)
	assert.Equal(t, sightedAnswered, seen)
	assert.Equal(t, []byte{9}, reply)
	seen, _, _ = cache.begin(cacheKey(0), [16]byte{1}, now)
	assert.Equal(t, sightedNew, seen, "the oldest made room")
}

func TestReplyCacheDoesNotAllocateOnceFull(t *testing.T) {
	cache, now := newReplyCache(16, 5*time.Second), time.Unix(1000, 0)
	reply, identifier := make([]byte, 200), uint8(0)
	turn := func() {
		identifier++
		_, ticket, _ := cache.begin(cacheKey(identifier), [16]byte{identifier}, now)
		cache.finish(ticket, reply, now)
	}
	for range 1000 {
		turn()
	}
	assert.Zero(t, testing.AllocsPerRun(1000, turn))
}
