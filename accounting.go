package linegate

import (
	"crypto/sha256"
	"encoding/binary"
	"net/netip"
	"time"
)

// AcctStatus is an Acct-Status-Type (RFC 2866 section 5.1).
type AcctStatus string

const (
	AcctStart   AcctStatus = "start"
	AcctInterim AcctStatus = "interim"
	AcctStop    AcctStatus = "stop"
	AcctOn      AcctStatus = "on"  // the NAS came up: its sessions are gone
	AcctOff     AcctStatus = "off" // the NAS goes down
)

// NASKey names one box: the NAS entry it matched and the address it calls its
// own. All of a box's sessions share it, and Accounting-On closes them by it.
type NASKey struct {
	Tenant  string
	Name    string
	Address netip.Addr // NAS-IP-Address or NAS-IPv6-Address, else the packet's source
}

// AccountingEvent is one Accounting-Request, read. It owns all its memory.
type AccountingEvent struct {
	NAS    NASKey
	Status AcctStatus
	// At is when it happened at the NAS: reception less Acct-Delay-Time (RFC 2866
	// section 5.2). ReceivedAt is when the packet came.
	At         time.Time
	ReceivedAt time.Time

	AcctSessionID string // as sent; empty with On and Off of some NAS
	UserName      string
	SubscriberID  string // from Class, else from the username; empty: unknown
	Class         Octets

	SessionTime    uint32 // seconds
	InputOctets    uint64 // from the subscriber; gigawords included
	OutputOctets   uint64 // to the subscriber
	InputPackets   uint64
	OutputPackets  uint64
	TerminateCause uint32 // RFC 2866 section 5.10; 0: none

	CallingStationID    string
	NASPortID           string
	Line                struct{ CircuitID, RemoteID Octets }
	FramedIPv4          netip.Addr
	FramedIPv6Address   netip.Addr
	FramedIPv6Prefix    netip.Prefix
	DelegatedIPv6Prefix netip.Prefix
	ServiceVLAN         VLAN // that the subscriber is granted when the event came
	InnerVLAN           VLAN
	// InterimInterval is how often the session is to report, in seconds, as far as
	// is known when the event comes; 0: not known, or never.
	InterimInterval uint32
}

// EndsAll reports whether the event closes every session of its NAS.
func (e *AccountingEvent) EndsAll() bool { return e.Status == AcctOn || e.Status == AcctOff }

// longestSession is the longest Acct-Session-Time that is believed, in seconds:
// ten years. More comes from a broken counter.
const longestSession = 10 * 365 * 24 * 60 * 60

// StartedAt is when the event's session began, as far as the event tells.
func (e *AccountingEvent) StartedAt() time.Time {
	if e.SessionTime > longestSession {
		return e.At
	}
	return e.At.Add(-time.Duration(e.SessionTime) * time.Second)
}

// RecordKey is equal for an event and its retransmission, which comes with a
// new identifier and another Acct-Delay-Time (RFC 2866 section 5.2). sessionID
// is the session the event was found to belong to, empty with On and Off; those
// are told apart by the second they happened in. A key begins with the time in
// sessionID, a UUIDv7, so that keys of sessions that began together lie together
// in an index; the rest is a hash.
func (e *AccountingEvent) RecordKey(sessionID string) (key [16]byte) {
	const timeSize = 6 // octets of a UUIDv7 that tell the time
	decodeUUID(&key, sessionID)
	hash := e.recordHash(sessionID)
	copy(key[timeSize:], hash[:])
	return key
}

func (e *AccountingEvent) recordHash(sessionID string) [sha256.Size]byte {
	var space [256]byte
	text := append(space[:0], e.Status...)
	text = append(text, 0)
	if e.EndsAll() {
		text = append(text, e.NAS.Tenant+"\x00"+e.NAS.Name+"\x00"+e.NAS.Address.String()...)
		return sha256.Sum256(binary.BigEndian.AppendUint64(text, uint64(e.At.Unix())))
	}
	text = append(text, sessionID...)
	for _, count := range []uint64{uint64(e.SessionTime), e.InputOctets, e.OutputOctets, e.InputPackets, e.OutputPackets} {
		text = binary.BigEndian.AppendUint64(text, count)
	}
	return sha256.Sum256(text)
}
