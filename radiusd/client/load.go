package client

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"golang.org/x/sync/errgroup"

	"linegate/radiusd/wire"
)

// Load asks servers what its sources say, from many sockets, and verifies every
// answer. A request that gets none goes to the next server with the same octets
// (RFC 5080 section 2.2.1) until its tries are used up.
type Load struct {
	// Auth and Acct are the servers' addresses, host:port, all of one family; those
	// that take changes are in Auth. Each socket begins with another one of them.
	Auth, Acct []string
	Signer     *wire.Signer
	Timeout    time.Duration // of one try
	Tries      int           // at least 1
	Sockets    int           // at least 1
	Window     int           // outstanding requests of a socket, 1 to 256: the identifiers there are
	Seed       uint64        // of authenticators and challenges
	// WithoutMessageAuthenticator leaves it out of Access-Requests and changes.
	WithoutMessageAuthenticator bool
	// Floor tells that the server sends back each datagram as it came: what is
	// measured then is the network and the loop, not RADIUS.
	Floor bool
	// Source makes what a socket asks: its share among all, numbered from 0.
	Source func(socket, sockets int) Source
	// Observe is called about once a second and once at the end, by one goroutine
	// at a time, with the counts so far; nil: nobody looks.
	Observe func(elapsed time.Duration, counts Counts)
}

// Source is what one socket asks. Its socket's goroutine alone calls it.
type Source interface {
	// Next returns when the next request is due, since the beginning: Now, Never, or
	// a time on a schedule, be it past.
	Next(elapsed time.Duration) time.Duration
	// Build makes that request.
	Build(builder *Builder, ask *Ask) error
	// Settle takes a request's authentic answer. done tells that what began with
	// Ask.Since is complete, so that its latency counts.
	Settle(ask *Ask, reply wire.Packet, counts *Counts) (done bool)
	// GiveUp learns that a request got no answer in all its tries.
	GiveUp(ask *Ask)
}

// What Source.Next returns beside times.
const (
	// Now: at once. Latency counts from when the request leaves; from a scheduled
	// time it counts even while the socket is not ready to send.
	Now = time.Duration(-1)
	// Never: nothing is to be asked before another answer, or ever.
	Never = time.Duration(1<<63 - 1)
)

// Ask is a request under way.
type Ask struct {
	Request    Request // Build makes it in the space of the one before
	Identifier uint8
	Acct       bool      // it goes to the accounting port
	Since      time.Time // latency counts from here; zero when Build leaves it so: from when it was due
	// Task and Step are the source's own: what the request is for.
	Task, Step int
	Accept     bool // is the answer that is due
}

// Counts is what became of a load's requests. Sent is the sum of Answered,
// Timeouts and those still under way.
type Counts struct {
	Sent             uint64 // requests, however often
	Retransmissions  uint64 // further tries
	Accepts          uint64
	Rejects          uint64
	OtherAnswers     uint64 // neither accept nor reject: an Access-Challenge
	WrongAccepts     uint64 // among Accepts: a reject was due
	WrongRejects     uint64 // among Rejects: an accept was due
	Starts           uint64 // accounting events that were acknowledged, each once
	Interims         uint64
	Stops            uint64
	Calls            uint64 // complete ones: accepted, Start and Stop acknowledged
	Echoes           uint64 // requests that came back as they were
	Acks             uint64 // of CoA-Requests and Disconnect-Requests
	Naks             uint64
	WrongCauses      uint64 // among Acks and Naks: the Error-Cause is none that such an answer can have
	WrongProxyStates uint64 // among Acks and Naks: without the request's Proxy-State
	Timeouts         uint64 // nothing authentic came in time, in all tries
	BadReplies       uint64 // malformed, of no request of ours, or with a wrong authenticator
	LateReplies      uint64 // authentic, but a second time or after their request had timed out
	NetworkErrors    uint64 // the network refused a datagram
}

// Acknowledged is how many accounting events a server has taken.
func (c Counts) Acknowledged() uint64 { return c.Starts + c.Interims + c.Stops }

// Answered is how many requests got an authentic answer in time.
func (c Counts) Answered() uint64 {
	return c.Accepts + c.Rejects + c.OtherAnswers + c.Acknowledged() + c.Echoes + c.Acks + c.Naks
}

// Wrong is how much was wrong with authentic answers.
func (c Counts) Wrong() uint64 {
	return c.WrongAccepts + c.WrongRejects + c.OtherAnswers + c.WrongCauses + c.WrongProxyStates
}

func (c *Counts) add(other Counts) {
	c.Sent += other.Sent
	c.Retransmissions += other.Retransmissions
	c.Accepts += other.Accepts
	c.Rejects += other.Rejects
	c.OtherAnswers += other.OtherAnswers
	c.WrongAccepts += other.WrongAccepts
	c.WrongRejects += other.WrongRejects
	c.Starts += other.Starts
	c.Interims += other.Interims
	c.Stops += other.Stops
	c.Calls += other.Calls
	c.Echoes += other.Echoes
	c.Acks += other.Acks
	c.Naks += other.Naks
	c.WrongCauses += other.WrongCauses
	c.WrongProxyStates += other.WrongProxyStates
	c.Timeouts += other.Timeouts
	c.BadReplies += other.BadReplies
	c.LateReplies += other.LateReplies
	c.NetworkErrors += other.NetworkErrors
}

// Result is what a load came to.
type Result struct {
	Counts
	Elapsed time.Duration
	Latency *hdrhistogram.Histogram // of what was done, in microseconds
}

// latencyRange is what a histogram keeps to three digits: a microsecond to a
// minute.
const latencyRange = int64(time.Minute / time.Microsecond)

// Run asks until the sources have nothing more to ask or ctx is done, then waits
// for what is under way.
func (l *Load) Run(ctx context.Context) (Result, error) {
	if l.Sockets < 1 || l.Window < 1 || l.Window > identifiers || l.Tries < 1 {
		return Result{}, errors.New("a load needs a socket, a window of 1 to 256, and a try")
	}
	lanes, err := l.open()
	defer closeAll(lanes)
	if err != nil {
		return Result{}, err
	}

	begin := time.Now()
	group, ctx := errgroup.WithContext(ctx)
	for _, lane := range lanes {
		group.Go(func() error { return lane.run(ctx, begin) })
	}
	err = l.watch(begin, lanes, group.Wait)

	result := Result{Elapsed: time.Since(begin), Latency: hdrhistogram.New(1, latencyRange, 3)}
	for _, lane := range lanes {
		result.add(lane.published())
		result.Latency.Merge(lane.latency)
	}
	return result, err
}

// watch tells the observer how it goes until wait returns.
func (l *Load) watch(begin time.Time, lanes []*lane, wait func() error) error {
	observe := func() {
		var counts Counts
		for _, lane := range lanes {
			counts.add(lane.published())
		}
		if l.Observe != nil {
			l.Observe(time.Since(begin), counts)
		}
	}
	done := make(chan struct{})
	var watcher sync.WaitGroup
	watcher.Go(func() {
		ticker := time.NewTicker(time.Second)
		defer ticker.Stop()
		for {
			select {
			case <-done:
				return
			case <-ticker.C:
				observe()
			}
		}
	})
	err := wait()
	close(done)
	watcher.Wait()
	observe()
	return err
}

// open opens the sockets; those that are open are returned with an error, too.
func (l *Load) open() (lanes []*lane, err error) {
	auth, err := resolve(l.Auth)
	if err != nil {
		return nil, err
	}
	acct, err := resolve(l.Acct)
	if err != nil {
		return nil, err
	}
	network, err := family(append(auth[:len(auth):len(auth)], acct...))
	if err != nil {
		return nil, err
	}
	for number := range l.Sockets {
		conn, batch, err := openBatch(network)
		if err != nil {
			return lanes, err
		}
		clock, err := newAlarm(conn)
		if err != nil {
			conn.Close()
			return lanes, err
		}
		lane := l.newLane(number, conn, batch, clock)
		lane.auth, lane.acct = rotated(auth, number), rotated(acct, number)
		lanes = append(lanes, lane)
	}
	return lanes, nil
}

func (l *Load) newLane(number int, conn *net.UDPConn, batch batchConn, clock *alarm) *lane {
	made := &lane{
		load: l, conn: conn, batch: batch, alarm: clock, source: l.Source(number, l.Sockets),
		builder: Builder{Signer: l.Signer, Random: newRandom(l.Seed, number), WithoutMessageAuthenticator: l.WithoutMessageAuthenticator},
		latency: hdrhistogram.New(1, latencyRange, 3),
		free:    make([]uint8, 0, identifiers),
	}
	for i := range identifiers {
		made.free = append(made.free, uint8(i))
		made.slots[i].Identifier = uint8(i)
	}
	return made
}

// newRandom makes a socket's own random numbers: fast, and no secret to anybody.
func newRandom(seed uint64, socket int) *rand.ChaCha8 {
	var key [32]byte
	key[0], key[1] = byte(socket), byte(socket>>8)
	for i := range 8 {
		key[8+i] = byte(seed >> (8 * i))
	}
	return rand.NewChaCha8(key)
}

func closeAll(lanes []*lane) {
	for _, lane := range lanes {
		lane.conn.Close()
		lane.alarm.close()
	}
}

func resolve(addresses []string) ([]*net.UDPAddr, error) {
	servers := make([]*net.UDPAddr, len(addresses))
	for i, address := range addresses {
		var err error
		if servers[i], err = net.ResolveUDPAddr("udp", address); err != nil {
			return nil, err
		}
	}
	return servers, nil
}

// family is the network that all servers are in: udp4 or udp6.
func family(servers []*net.UDPAddr) (string, error) {
	if len(servers) == 0 {
		return "", errors.New("a load needs a server")
	}
	network := func(server *net.UDPAddr) string {
		if server.IP.To4() != nil {
			return "udp4"
		}
		return "udp6"
	}
	for _, server := range servers {
		if network(server) != network(servers[0]) {
			return "", fmt.Errorf("servers %s and %s: one is IPv4 and one IPv6, which one socket can't ask", servers[0], server)
		}
	}
	return network(servers[0]), nil
}

// rotated begins with another server for each socket.
func rotated(servers []*net.UDPAddr, by int) []*net.UDPAddr {
	if len(servers) == 0 {
		return nil
	}
	at := by % len(servers)
	return append(append([]*net.UDPAddr(nil), servers[at:]...), servers[:at]...)
}
