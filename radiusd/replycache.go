package radiusd

import (
	"net/netip"
	"sync"
	"time"

	"linegate/radiusd/wire"
)

// replyCache recognises duplicates of the packets of one socket and keeps the
// answers to resend (RFC 5080 section 2.2.2). It holds a fixed number of
// packets at most; the oldest make room. It is safe for concurrent use.
type replyCache struct {
	mu    sync.Mutex
	byKey map[replyKey]uint32 // index into slots
	slots []replySlot         // a ring, grown up to limit
	limit int
	next  uint32
	ttl   time.Duration
	early uint64 // slots reused before they expired
}

// replyKey is what makes two packets of one socket the same request, together
// with the authenticator.
type replyKey struct {
	source     netip.AddrPort
	identifier uint8
}

type replySlot struct {
	key           replyKey
	authenticator [wire.AuthenticatorSize]byte
	use           uint32 // counts the packets the slot has held
	state         slotState
	since         time.Time
	reply         []byte
}

type slotState uint8

const (
	slotFree slotState = iota
	slotInFlight
	slotAnswered
)

// inFlightLimit is after how long a packet without an answer is no longer taken
// for being worked on.
const inFlightLimit = 30 * time.Second

// ticket names the slot of one packet; it goes stale when the slot is reused.
type ticket struct{ index, use uint32 }

// newReplyCache keeps up to limit packets, answered ones for ttl.
func newReplyCache(limit int, ttl time.Duration) *replyCache {
	return &replyCache{byKey: make(map[replyKey]uint32), limit: limit, ttl: ttl}
}

// sighting is what the cache knows about a packet.
type sighting uint8

const (
	sightedNew      sighting = iota // to be worked on; finish or forget its ticket
	sightedInFlight                 // being worked on: drop
	sightedAnswered                 // answered: resend
)

// begin looks a packet up, and registers it when it is new. reply is valid until
// the next call of begin, which only the socket's own loop makes.
func (c *replyCache) begin(key replyKey, authenticator [wire.AuthenticatorSize]byte, now time.Time) (seen sighting, t ticket, reply []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if index, ok := c.byKey[key]; ok {
		slot := &c.slots[index]
		if slot.authenticator == authenticator && now.Sub(slot.since) < c.lifetime(slot.state) {
			if slot.state == slotInFlight {
				return sightedInFlight, ticket{}, nil
			}
			return sightedAnswered, ticket{}, slot.reply
		}
		return sightedNew, c.occupy(index, key, authenticator, now), nil
	}
	index := c.oldest(now)
	c.byKey[key] = index
	return sightedNew, c.occupy(index, key, authenticator, now), nil
}

func (c *replyCache) lifetime(state slotState) time.Duration {
	if state == slotInFlight {
		return inFlightLimit
	}
	return c.ttl
}

// oldest frees the slot that comes next in the ring and returns its index.
func (c *replyCache) oldest(now time.Time) uint32 {
	if len(c.slots) < c.limit {
		c.slots = append(c.slots, replySlot{})
		return uint32(len(c.slots) - 1)
	}
	index := c.next
	c.next = (c.next + 1) % uint32(c.limit)
	slot := &c.slots[index]
	if slot.state != slotFree {
		if now.Sub(slot.since) < c.lifetime(slot.state) {
			c.early++
		}
		delete(c.byKey, slot.key)
	}
	return index
}

// occupy gives the slot that the key leads to a new packet.
func (c *replyCache) occupy(index uint32, key replyKey, authenticator [wire.AuthenticatorSize]byte, now time.Time) ticket {
	slot := &c.slots[index]
	slot.key, slot.authenticator = key, authenticator
	slot.state, slot.since = slotInFlight, now
	slot.use++
	return ticket{index: index, use: slot.use}
}

// finish keeps the answer for duplicates to come.
func (c *replyCache) finish(t ticket, reply []byte, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if slot := &c.slots[t.index]; slot.use == t.use {
		slot.state, slot.since = slotAnswered, now
		slot.reply = append(slot.reply[:0], reply...)
	}
}

// forget gives up on a packet without an answer, so that its retransmission is
// worked on anew.
func (c *replyCache) forget(t ticket) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if slot := &c.slots[t.index]; slot.use == t.use && slot.state == slotInFlight {
		slot.state = slotFree
		delete(c.byKey, slot.key)
	}
}

// evictedEarly counts the packets that made room before their time; above zero,
// the cache is too small for the load.
func (c *replyCache) evictedEarly() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.early
}
