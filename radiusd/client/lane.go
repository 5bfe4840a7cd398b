package client

import (
	"context"
	"errors"
	"math/rand/v2"
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

// lane is one socket of a flood with its goroutine, which alone touches all but
// counts. An identifier that timed out is used again as late as possible.
type lane struct {
	flood   *Flood
	conn    *net.UDPConn
	batch   batchConn
	builder Builder
	random  *rand.ChaCha8
	next    int // subject
	latency *hdrhistogram.Histogram
	slots   [identifiers]slot
	free    []uint8 // identifiers, the one that rested longest first
	busy    int
	mine    Counts
	counts  atomic.Pointer[Counts] // copies of mine for others to read

	login  Login // of the request being built
	out    [batchSize]message
	in     [batchSize]message
	swept  time.Time
	buffer [batchSize][wire.MaxPacketSize]byte
}

// slot is the request under one identifier.
type slot struct {
	busy     bool
	accept   bool // is what has to come
	request  Request
	sentAt   time.Time
	timedOut [wire.AuthenticatorSize]byte // the authenticator of the request before, if it got no answer
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

// run keeps the window full until sending is done, then waits for what is under
// way.
func (l *lane) run(sending context.Context) error {
	for i := range l.in {
		l.in[i].Buffers = [][]byte{l.buffer[i][:]}
		l.out[i].Buffers = make([][]byte, 1)
	}
	defer l.publish()
	for {
		if sending.Err() == nil {
			if err := l.fill(); err != nil {
				return err
			}
		} else if l.busy == 0 {
			return nil
		}
		if err := l.receive(); err != nil {
			return err
		}
	}
}

// fill sends requests until the window is full.
func (l *lane) fill() error {
	for l.busy < l.flood.Window {
		count := min(batchSize, l.flood.Window-l.busy)
		var batch [batchSize]*slot
		for i := range count {
			slot, err := l.build()
			if err != nil {
				return err
			}
			batch[i], l.out[i].Buffers[0] = slot, slot.request.octets
		}
		now := time.Now()
		for _, slot := range batch[:count] {
			slot.sentAt = now
		}
		for sent := 0; sent < count; {
			n, err := l.batch.WriteBatch(l.out[sent:count], 0)
			if err != nil && !l.tolerate(err) {
				return err
			}
			sent += max(n, 1) // what the network refused times out like what it lost
		}
		l.mine.Sent += uint64(count)
	}
	return nil
}

// build makes the next subject's request under the identifier that rested longest.
func (l *lane) build() (*slot, error) {
	identifier := l.free[0]
	l.free = l.free[:copy(l.free, l.free[1:])]
	slot := &l.slots[identifier]
	subject := &l.flood.Subjects[l.next]
	l.next = (l.next + 1) % len(l.flood.Subjects)

	line := subject.Right
	slot.accept = true
	if l.share() < l.flood.WrongShare {
		line, slot.accept = subject.Wrong, subject.AcceptWrong
	}
	l.login.UserName, l.login.Password, l.login.Method = subject.UserName, subject.Password, l.flood.Method
	if subject.Password == "" {
		l.login.Method = MethodNone
	}
	l.login.Attributes = append(append(l.login.Attributes[:0], l.flood.Attributes...), line...)

	var err error
	if slot.request, err = l.builder.Access(slot.request.octets, identifier, &l.login); err != nil {
		return nil, err
	}
	slot.busy = true
	l.busy++
	return slot, nil
}

// share returns a random number from 0 to below 1.
func (l *lane) share() float64 { return float64(l.random.Uint64()>>11) / (1 << 53) }

// receive reads what has come, waiting a tick at most, and gives up on what has
// not come for too long.
func (l *lane) receive() error {
	if err := l.conn.SetReadDeadline(time.Now().Add(tick)); err != nil {
		return err
	}
	n, err := l.batch.ReadBatch(l.in[:], 0)
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) && !l.tolerate(err) {
		return err
	}
	now := time.Now()
	for i := range max(n, 0) {
		l.answer(l.in[i].Buffers[0][:l.in[i].N], now)
	}
	if now.Sub(l.swept) > tick {
		l.expire(now)
		l.publish()
	}
	return nil
}

// answer counts a datagram.
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
	packet, _, err := slot.request.verify(datagram, l.flood.Server.Signer)
	if err != nil {
		l.stray(datagram, slot)
		return
	}
	l.judge(packet.Code(), slot.accept)
	took := now.Sub(slot.sentAt).Microseconds()
	_ = l.latency.RecordValue(min(max(took, 1), latencyRange)) // within its range, so it can't fail
	l.release(packet.Identifier())
}

// judge compares an answer with the one that was due.
func (l *lane) judge(code wire.Code, accept bool) {
	switch code {
	case wire.AccessAccept:
		l.mine.Accepts++
		if !accept {
			l.mine.WrongAccepts++
		}
	case wire.AccessReject:
		l.mine.Rejects++
		if accept {
			l.mine.WrongRejects++
		}
	default:
		l.mine.OtherAnswers++
	}
}

// stray counts what answers no request under way: an answer that comes again or
// after its request timed out, or a bad one.
func (l *lane) stray(datagram []byte, slot *slot) {
	signer := l.flood.Server.Signer
	packet, err := wire.Parse(datagram)
	if err == nil {
		_, err = signer.VerifyReply(packet, slot.timedOut)
	}
	if err != nil && slot.request.octets != nil && !slot.busy {
		_, _, err = slot.request.verify(datagram, signer)
	}
	if err != nil {
		l.mine.BadReplies++
		return
	}
	l.mine.LateReplies++
}

// expire gives up on requests that are older than the timeout.
func (l *lane) expire(now time.Time) {
	l.swept = now
	for identifier := range l.slots {
		slot := &l.slots[identifier]
		if slot.busy && now.Sub(slot.sentAt) > l.flood.Server.Timeout {
			l.mine.Timeouts++
			slot.timedOut = slot.request.authenticator()
			l.release(uint8(identifier))
		}
	}
}

func (l *lane) release(identifier uint8) {
	l.slots[identifier].busy = false
	l.free = append(l.free, identifier)
	l.busy--
}

func (l *lane) publish() {
	counts := l.mine
	l.counts.Store(&counts)
}

// tolerate counts what a network may do to a datagram without the flood being
// over: nobody listens at the moment, or a queue is full.
func (l *lane) tolerate(err error) bool {
	if errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ENOBUFS) {
		l.mine.NetworkErrors++
		return true
	}
	return false
}
