package coa

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"sync"
	"time"

	"linegate/radiusd/wire"
)

// Conn is one source port. *net.UDPConn is one; Close ends a Read that waits.
type Conn interface {
	ReadFromUDPAddrPort(buffer []byte) (int, netip.AddrPort, error)
	WriteToUDPAddrPort(packet []byte, to netip.AddrPort) (int, error)
	Close() error
}

// ports hands out identifiers. Between two uses of an identifier on the same
// source port towards the same NAS lies at least the reuse time, which is how
// long a NAS may take the second for a copy of the first (RFC 5176 section 6.3).
// Who needs more than 256 in that time gets another source port. Ports are opened
// when they are needed, at most limit, and closed when nothing needs to be
// remembered of them any more. It is safe for concurrent use.
type ports struct {
	open   func() (Conn, error)
	answer func(*port, []byte, netip.AddrPort) // called by the reader of each port
	limit  int
	reuse  time.Duration

	readers sync.WaitGroup
	mu      sync.Mutex
	all     []*port
	peers   map[netip.AddrPort]*peer
	sweeper *time.Timer // runs while a port is open
	closed  bool
}

// port is one open source port, shared by all NAS.
type port struct {
	conn Conn

	mu      sync.Mutex
	awaited map[exchangeKey]*exchange

	// Under ports.mu.
	busy     int
	lastUsed time.Time
	shut     bool
}

// exchangeKey is what an answer is matched by.
type exchangeKey struct {
	from       netip.AddrPort
	identifier uint8
}

// peer is one NAS as the identifiers see it.
type peer struct {
	inFlight int
	changed  chan struct{} // closed when something was given back

	used    map[*port]bool
	current *port // the port whose identifiers are given out first
	begun   uint8 // the first identifier of current
	given   int   // how many of current were given out, up to 256
	resting []rested
}

// rested is an identifier that may be used again from then on; a peer's lie in
// order of time.
type rested struct {
	slot
	from time.Time
}

// slot is an identifier on a source port.
type slot struct {
	port       *port
	identifier uint8
}

const identifiers = 256 // of one port

var errClosed = errors.New("sender is closed")

// acquire waits until fewer than window requests to the NAS are under way and an
// identifier is free, and takes it.
func (p *ports) acquire(ctx context.Context, to netip.AddrPort, window int) (slot, error) {
	for {
		taken, retry, changed, err := p.tryAcquire(to, window)
		if err != nil || taken.port != nil {
			return taken, err
		}
		timer := time.NewTimer(retry)
		select {
		case <-ctx.Done():
			err = fmt.Errorf("wait for an identifier towards %s: %w", to, context.Cause(ctx))
		case <-changed:
		case <-timer.C:
		}
		timer.Stop()
		if err != nil {
			return slot{}, err
		}
	}
}

// longestWait is after how long a waiting request looks again by itself.
const longestWait = time.Minute

// tryAcquire returns a slot, or a zero one with when to try again: after a time or
// when the channel closes.
func (p *ports) tryAcquire(to netip.AddrPort, window int) (taken slot, retry time.Duration, changed <-chan struct{}, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return slot{}, 0, nil, errClosed
	}
	nas := p.peers[to]
	if nas == nil {
		nas = &peer{changed: make(chan struct{}), used: map[*port]bool{}}
		p.peers[to] = nas
	}
	if nas.inFlight >= window {
		return slot{}, longestWait, nas.changed, nil
	}
	now := time.Now()
	taken, found := nas.next(now)
	if !found {
		if taken, err = p.widen(nas); err != nil {
			return slot{}, 0, nil, err
		}
	}
	if taken.port == nil {
		retry = longestWait
		if len(nas.resting) > 0 {
			retry = nas.resting[0].from.Sub(now)
		}
		return slot{}, retry, nas.changed, nil
	}
	nas.inFlight++
	taken.port.busy++
	taken.port.lastUsed = now
	return taken, 0, nil, nil
}

// next takes an identifier of the ports that the NAS knows already.
func (n *peer) next(now time.Time) (slot, bool) {
	if n.current != nil && n.given < identifiers {
		n.given++
		return slot{n.current, n.begun + uint8(n.given-1)}, true
	}
	for len(n.resting) > 0 && n.resting[0].port.shut {
		n.resting = n.resting[1:]
	}
	if len(n.resting) == 0 || now.Before(n.resting[0].from) {
		return slot{}, false
	}
	first := n.resting[0].slot
	n.resting = n.resting[1:]
	return first, true
}

// widen gives a NAS one more port, opening one when it knows all; a zero slot: the
// limit is reached. The first identifier is random, since a process before this
// one may have had the same port.
func (p *ports) widen(nas *peer) (slot, error) {
	var fresh *port
	for _, known := range p.all {
		if !nas.used[known] {
			fresh = known
			break
		}
	}
	if fresh == nil {
		if len(p.all) >= p.limit {
			return slot{}, nil
		}
		var err error
		if fresh, err = p.openPort(); err != nil {
			return slot{}, err
		}
	}
	nas.used[fresh] = true
	nas.current, nas.begun, nas.given = fresh, uint8(rand.Uint32()), 1
	return slot{fresh, nas.begun}, nil
}

func (p *ports) openPort() (*port, error) {
	conn, err := p.open()
	if err != nil {
		return nil, fmt.Errorf("open a source port: %w", err)
	}
	opened := &port{conn: conn, awaited: map[exchangeKey]*exchange{}}
	p.all = append(p.all, opened)
	p.readers.Go(func() { p.read(opened) })
	if p.sweeper == nil {
		p.sweeper = time.AfterFunc(p.reuse, p.sweep)
	}
	return opened, nil
}

// read hands on what comes to a port until it is closed.
func (p *ports) read(from *port) {
	var datagram [wire.MaxPacketSize + 1]byte
	for {
		n, source, err := from.conn.ReadFromUDPAddrPort(datagram[:])
		if err == nil {
			p.answer(from, datagram[:n], netip.AddrPortFrom(source.Addr().Unmap(), source.Port()))
			continue
		}
		p.mu.Lock()
		shut := from.shut
		p.mu.Unlock()
		if shut {
			return
		}
		time.Sleep(time.Millisecond) // an error about an earlier packet; one that lasts must not spin
	}
}

// release gives an identifier back, to rest.
func (p *ports) release(to netip.AddrPort, taken slot) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	taken.port.busy--
	taken.port.lastUsed = now
	nas := p.peers[to]
	nas.inFlight--
	nas.resting = append(nas.resting, rested{taken, now.Add(p.reuse)})
	close(nas.changed)
	nas.changed = make(chan struct{})
}

// sweep closes the ports that nothing was sent from for the reuse time, and
// forgets what was remembered of them.
func (p *ports) sweep() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	now := time.Now()
	kept := p.all[:0:0]
	for _, open := range p.all {
		if open.busy > 0 || now.Sub(open.lastUsed) < p.reuse {
			kept = append(kept, open)
			continue
		}
		open.close()
	}
	p.all = kept
	for address, nas := range p.peers {
		if nas.forgetShut(); nas.inFlight == 0 && len(nas.used) == 0 {
			delete(p.peers, address)
		}
	}
	if p.sweeper = nil; len(p.all) > 0 {
		p.sweeper = time.AfterFunc(p.reuse, p.sweep)
	}
}

// forgetShut lets go of the ports that are closed.
func (n *peer) forgetShut() {
	for used := range n.used {
		if used.shut {
			delete(n.used, used)
		}
	}
	if n.current != nil && n.current.shut {
		n.current = nil
	}
	kept := n.resting[:0:0]
	for _, identifier := range n.resting {
		if !identifier.port.shut {
			kept = append(kept, identifier)
		}
	}
	n.resting = kept
}

// close ends the port's reader. The caller holds ports.mu.
func (s *port) close() {
	s.shut = true
	_ = s.conn.Close()
}

// close closes all ports and waits for their readers. Nobody may be waiting for an
// answer.
func (p *ports) close() {
	p.mu.Lock()
	p.closed = true
	if p.sweeper != nil {
		p.sweeper.Stop()
	}
	for _, open := range p.all {
		open.close()
	}
	p.mu.Unlock()
	p.readers.Wait()
}

// count returns how many ports are open.
func (p *ports) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.all)
}
