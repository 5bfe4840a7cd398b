package cache

import (
	"net/netip"
	"sync/atomic"
	"time"
	"unsafe"

	"linegate"
)

// refreshRetry is how long an entry that is due for a refresh waits before it is
// queued once more.
const refreshRetry = 10 * time.Second

// entry is one key's answer, as the table keeps it.
type entry struct {
	key       linegate.Key
	lookup    linegate.Lookup
	loadedAt  time.Duration // age of the cache
	refreshAt atomic.Int64  // age of the cache at which to load it again
}

// newEntry makes an entry that is refreshed at an age of three quarters to all
// of the TTL, so that entries loaded together aren't refreshed together.
func (c *Cache) newEntry(hash uint64, key linegate.Key, lookup linegate.Lookup) *entry {
	e := &entry{key: key, lookup: lookup, loadedAt: c.age()}
	spread := time.Duration(hash % uint64(c.options.TTL/4+1))
	e.refreshAt.Store(int64(c.age() + c.options.TTL - spread))
	return e
}

// tableOverhead is what the table's two maps spend on an entry, in octets: slots
// of 56 and 16, of which maps that grow leave up to half empty.
const tableOverhead = (56 + 16) * 2

// cost estimates the entry's memory in octets. A subscriber that several entries
// share is divided among them.
func (e *entry) cost(sharers int) int64 {
	octets := keyCost(e.key)
	if s := e.lookup.Subscriber; s != nil {
		octets += subscriberCost(s) / int64(sharers)
	}
	return octets
}

func keyCost(key linegate.Key) int64 {
	return int64(unsafe.Sizeof(entry{})) + int64(len(key)) + tableOverhead
}

func subscriberCost(s *linegate.Subscriber) int64 {
	octets := int(unsafe.Sizeof(*s)) + len(s.ID) + len(s.Tenant) + len(s.Username) + len(s.Credential.Value) +
		len(s.Credential.Kind) + len(s.Status) + len(s.Validation.LastResult)
	if p := s.Profile; p != nil {
		octets += int(unsafe.Sizeof(*p)) + len(p.CircuitID) + len(p.RemoteID) + len(p.Option82Policy) + len(p.IPv6Mode) +
			len(p.FramedPool) + len(p.FramedIPv6Pool) + len(p.DelegatedIPv6Pool) + len(p.StatefulIPv6Pool) +
			len(p.WalledGarden.FilterID) + len(p.WalledGarden.Pool) + len(p.FilterID) + len(p.CheckVLAN) +
			len(p.DNSServers)*int(unsafe.Sizeof(netip.Addr{}))
		for _, line := range p.MoreLines {
			octets += int(unsafe.Sizeof(line)) + len(line.CircuitID) + len(line.RemoteID)
		}
		for _, attribute := range p.ReplyAttributes {
			octets += int(unsafe.Sizeof(attribute)) + len(attribute)
		}
	}
	return int64(octets)
}
