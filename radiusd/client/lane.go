package client

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"linegate/radiusd/wire"
)

// identifiers is how many requests one socket can have under way (RFC 2865
// section 3: the Identifier is one octet).
const identifiers = 256

// lane is one socket of a load with its goroutine, which alone touches all but
// counts. An identifier is in use towards one server at a time, so that a
// retransmission to another one can keep it; one that timed out is used again as
// late as possible.
type lane struct {
	load       *Load
	source     Source
	conn       *net.UDPConn
	batch      batchConn
	alarm      *alarm
	auth, acct []*net.UDPAddr
	builder    Builder
	begin      time.Time
	latency    *hdrhistogram.Histogram
	slots      [identifiers]slot
	free       []uint8 // identifiers, the one that rested longest first
	busy       int
	stopped    bool // by ctx: what is under way gets no further try
	mine       Counts
	counts     atomic.Pointer[Counts] // copies of mine for others to read

	out    [batchSize]message
	in     [batchSize]message
	leaves [batchSize]*slot // whose datagrams are in out
	swept  time.Time
	buffer [batchSize][wire.MaxPacketSize]byte
}

// slot is the request under one identifier.
type slot struct {
	Ask
	busy   bool
	tries  int
	sentAt time.Time                    // the latest try
	before [wire.AuthenticatorSize]byte // the authenticator of the request before
}

// published returns the counts as they were a moment ago.
func (l *lane) published() Counts {
	if counts := l.counts.Load(); counts != nil {
		return *counts
	}
	return Counts{}
}

// tick is how long a read waits at most, and so how promptly a lane notices that
// requests timed out or that it is to stop.
const tick = 20 * time.Millisecond

// run asks until the source or ctx ends, then waits for what is under way.
func (l *lane) run(ctx context.Context, begin time.Time) error {
	for i := range l.in {
		l.in[i].Buffers = [][]byte{l.buffer[i][:]}
		l.out[i].Buffers = make([][]byte, 1)
	}
	l.begin = begin
	defer l.publish()
	for {
		due := Never
		if l.stopped = ctx.Err() != nil; !l.stopped {
			var err error
			if due, err = l.fill(); err != nil {
				return err
			}
		}
		if due == Never && l.busy == 0 {
			return nil
		}
		if err := l.receive(due); err != nil {
			return err
		}
	}
}

// fill sends all that is due and fits the window. due is when the next request is;
// Now when it has to wait for an identifier.
func (l *lane) fill() (due time.Duration, err error) {
	for {
		count := 0
		elapsed := time.Since(l.begin)
		for due = l.source.Next(elapsed); count < batchSize && due <= elapsed && l.busy < l.load.Window; due = l.source.Next(elapsed) {
			slot, err := l.build(due)
			if err != nil {
				return due, err
			}
			l.leaves[count] = slot
			count++
		}
		if count == 0 {
			return due, nil
		}
		l.mine.Sent += uint64(count)
		if err := l.send(count); err != nil {
			return due, err
		}
	}
}

// build makes the request that is due under the identifier that rested longest.
func (l *lane) build(due time.Duration) (*slot, error) {
	slot := &l.slots[l.free[0]]
	l.free = l.free[:copy(l.free, l.free[1:])]
	slot.Since = time.Time{}
	if due != Now {
		slot.Since = l.begin.Add(due)
	}
	if slot.Request.octets != nil {
		slot.before = slot.Request.authenticator()
	}
	if err := l.source.Build(&l.builder, &slot.Ask); err != nil {
		return nil, err
	}
	slot.busy, slot.tries = true, 0
	l.busy++
	return slot, nil
}

// send puts the requests of the first slots of leaves on the wire, each to the
// server whose turn it is.
func (l *lane) send(count int) error {
	now := time.Now()
	for i, slot := range l.leaves[:count] {
		servers := l.auth
		if slot.Acct {
			servers = l.acct
		}
		l.out[i].Buffers[0], l.out[i].Addr = slot.Request.octets, servers[slot.tries%len(servers)]
		slot.tries++
		slot.sentAt = now
		if slot.Since.IsZero() {
			slot.Since = now
		}
	}
	for sent := 0; sent < count; {
		n, err := l.batch.WriteBatch(l.out[sent:count], 0)
		if err != nil && !l.tolerate(err) {
			return err
		}
		sent += max(n, 1) // what the network refused times out like what it lost
	}
	return nil
}

// receive reads what has come, waiting until due or a tick at most, and sends
// again what got no answer for too long.
func (l *lane) receive(due time.Duration) error {
	now := time.Now()
	if err := l.conn.SetReadDeadline(now.Add(tick)); err != nil {
		return err
	}
	if wait := due - now.Sub(l.begin); due > Now && wait < tick && l.busy < l.load.Window {
		if err := l.alarm.set(max(wait, 1)); err != nil {
			return err
		}
	}
	n, err := l.batch.ReadBatch(l.in[:], 0)
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) && !l.tolerate(err) {
		return err
	}
	now = time.Now()
	for i := range max(n, 0) {
		l.answer(l.in[i].Buffers[0][:l.in[i].N], now)
	}
	if now.Sub(l.swept) > tick {
		l.publish()
		return l.sweep(now)
	}
	return nil
}

// answer takes a datagram.
func (l *lane) answer(datagram []byte, now time.Time) {
	if len(datagram) < wire.HeaderSize {
		l.mine.BadReplies++
		return
	}
	slot := &l.slots[datagram[1]]
	if !slot.busy {
		l.stray(datagram, slot)
		return
	}
	done := l.load.Floor && bytes.Equal(datagram, slot.Request.octets)
	if done {
		l.mine.Echoes++
	} else {
		packet, _, err := slot.Request.verify(datagram, l.load.Signer)
		if err != nil {
			l.stray(datagram, slot)
			return
		}
		done = l.source.Settle(&slot.Ask, packet, &l.mine)
	}
	if done {
		took := now.Sub(slot.Since).Microseconds()
		_ = l.latency.RecordValue(min(max(took, 1), latencyRange)) // within its range, so it can't fail
	}
	l.release(slot)
}

// stray counts what answers no request under way: an answer that comes again or
// after its request timed out, or a bad one.
func (l *lane) stray(datagram []byte, slot *slot) {
	packet, err := wire.Parse(datagram)
	if err == nil {
		_, err = l.load.Signer.VerifyReply(packet, slot.before)
	}
	if err != nil && slot.Request.octets != nil && !slot.busy {
		_, _, err = slot.Request.verify(datagram, l.load.Signer)
	}
	if err != nil {
		l.mine.BadReplies++
		return
	}
	l.mine.LateReplies++
}

// sweep sends again what is older than the timeout, and gives up on what has used
// up its tries.
func (l *lane) sweep(now time.Time) error {
	l.swept = now
	count := 0
	for i := range l.slots {
		slot := &l.slots[i]
		switch {
		case !slot.busy || now.Sub(slot.sentAt) <= l.load.Timeout:
		case slot.tries >= l.load.Tries || l.stopped:
			l.mine.Timeouts++
			l.source.GiveUp(&slot.Ask)
			l.release(slot)
		default:
			l.leaves[count] = slot
			count++
		}
		if count == batchSize || i == identifiers-1 {
			l.mine.Retransmissions += uint64(count)
			if err := l.send(count); err != nil {
				return err
			}
			count = 0
		}
	}
	return nil
}

func (l *lane) release(slot *slot) {
	slot.busy = false
	l.free = append(l.free, slot.Identifier)
	l.busy--
}

func (l *lane) publish() {
	counts := l.mine
	l.counts.Store(&counts)
}

// tolerate counts what a network may do to a datagram without the load being
// over: nobody listens at the moment, or a queue is full.
func (l *lane) tolerate(err error) bool {
	if errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ENOBUFS) {
		l.mine.NetworkErrors++
		return true
	}
	return false
}
