package coa

import (
	"net/netip"
	"sync"
	"time"

	"linegate/radiusd/wire"
)

// answers recognises requests that come again, and keeps what they were answered
// with (RFC 5080 section 2.2.2, RFC 5176 section 6.3). It holds a fixed number;
// the oldest make room. It is safe for concurrent use.
type answers struct {
	limit int
	kept  time.Duration

	mu    sync.Mutex
	byKey map[answerKey]*answered
	order []answerKey // a ring of all that byKey holds, the oldest at next
	next  int
}

// answerKey is what makes two datagrams one request. The authenticator is a digest
// over all of it.
type answerKey struct {
	listener      int
	from          netip.AddrPort
	identifier    uint8
	authenticator [wire.AuthenticatorSize]byte
}

type answered struct {
	since time.Time
	reply []byte // nil: none yet
	idle  bool   // nobody works on it: it got no answer
}

func newAnswers(limit int, kept time.Duration) *answers {
	return &answers{limit: limit, kept: kept, byKey: map[answerKey]*answered{}}
}

// begin registers a request. fresh is false for one that is known: reply is its
// answer, nil while there is none.
func (a *answers) begin(key answerKey, now time.Time) (fresh bool, reply []byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if known := a.byKey[key]; known != nil {
		underWay := known.reply == nil && !known.idle
		if underWay || known.reply != nil && now.Sub(known.since) < a.kept {
			return false, known.reply
		}
		*known = answered{since: now}
		return true, nil
	}
	if len(a.order) < a.limit {
		a.order = append(a.order, key)
	} else {
		delete(a.byKey, a.order[a.next])
		a.order[a.next] = key
		a.next = (a.next + 1) % a.limit
	}
	a.byKey[key] = &answered{since: now}
	return true, nil
}

// finish keeps the answer.
func (a *answers) finish(key answerKey, reply []byte, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if known := a.byKey[key]; known != nil {
		known.since, known.reply = now, reply
	}
}

// forget lets a request that got no answer be worked on when it comes again.
func (a *answers) forget(key answerKey) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if known := a.byKey[key]; known != nil && known.reply == nil {
		known.idle = true
	}
}
