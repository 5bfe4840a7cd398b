package client

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"golang.org/x/sync/errgroup"
)

// Subject is one subscriber of a flood: a login from the right line and one from
// a wrong line, and what a server has to answer.
type Subject struct {
	UserName string
	Password string // empty: none is sent
	// Right and Wrong are the framed attributes that name the line.
	Right, Wrong []byte
	// AcceptWrong tells that the subscriber's policy lets a wrong line in.
	AcceptWrong bool
}

// Flood asks a server as fast as it answers: every socket always has a window of
// requests under way. The expected answer to each is known.
type Flood struct {
	Server     Server // Timeout is how long a request may take; Tries is not used
	Method     Method
	Attributes []byte    // of every request, framed
	Subjects   []Subject // at least one; taken in turn, all sockets together covering all
	WrongShare float64   // of requests from a wrong line, 0 to 1
	Duration   time.Duration
	Sockets    int // 1 or more
	Window     int // outstanding requests of a socket, 1 to 256: the identifiers there are
	Seed       uint64
	// Observe is called about once a second and once at the end, by one goroutine
	// at a time, with the counts so far; nil: nobody looks.
	Observe func(elapsed time.Duration, counts Counts)
}

// Counts is what became of a flood's requests. Sent is the sum of Accepts,
// Rejects, OtherAnswers, Timeouts and those still under way.
type Counts struct {
	Sent          uint64
	Accepts       uint64
	Rejects       uint64
	OtherAnswers  uint64 // neither accept nor reject: an Access-Challenge
	WrongAccepts  uint64 // among Accepts: a reject was due
	WrongRejects  uint64 // among Rejects: an accept was due
	Timeouts      uint64 // nothing authentic came in time
	BadReplies    uint64 // malformed, of no request of ours, or with a wrong authenticator
	LateReplies   uint64 // authentic, but a second time or after their request had timed out
	NetworkErrors uint64 // the network refused a datagram
}

// Answered is how many requests got an authentic answer in time.
func (c Counts) Answered() uint64 { return c.Accepts + c.Rejects + c.OtherAnswers }

// Wrong is how many answers were not the expected one.
func (c Counts) Wrong() uint64 { return c.WrongAccepts + c.WrongRejects + c.OtherAnswers }

func (c *Counts) add(other Counts) {
	c.Sent += other.Sent
	c.Accepts += other.Accepts
	c.Rejects += other.Rejects
	c.OtherAnswers += other.OtherAnswers
	c.WrongAccepts += other.WrongAccepts
	c.WrongRejects += other.WrongRejects
	c.Timeouts += other.Timeouts
	c.BadReplies += other.BadReplies
	c.LateReplies += other.LateReplies
	c.NetworkErrors += other.NetworkErrors
}

// FloodResult is what a flood came to.
type FloodResult struct {
	Counts
	Elapsed time.Duration
	Latency *hdrhistogram.Histogram // of answered requests, in microseconds
}

// latencyRange is what a histogram keeps to three digits: a microsecond to a
// minute.
const latencyRange = int64(time.Minute / time.Microsecond)

// Run floods the server until Duration is over or ctx is done, then waits for
// what is under way.
func (f *Flood) Run(ctx context.Context) (FloodResult, error) {
	if len(f.Subjects) == 0 || f.Sockets < 1 || f.Window < 1 || f.Window > identifiers {
		return FloodResult{}, errors.New("a flood needs a subject, a socket, and a window of 1 to 256")
	}
	lanes := make([]*lane, f.Sockets)
	for i := range lanes {
		made, err := f.newLane(i)
		if err != nil {
			closeAll(lanes[:i])
			return FloodResult{}, err
		}
		lanes[i] = made
	}
	defer closeAll(lanes)

	begin := time.Now()
	sending, stop := context.WithDeadline(ctx, begin.Add(f.Duration))
	defer stop()
	group, sending := errgroup.WithContext(sending)
	for _, lane := range lanes {
		group.Go(func() error { return lane.run(sending) })
	}
	err := f.watch(begin, lanes, group.Wait)

	result := FloodResult{Elapsed: time.Since(begin), Latency: hdrhistogram.New(1, latencyRange, 3)}
	for _, lane := range lanes {
		result.add(lane.published())
		result.Latency.Merge(lane.latency)
	}
	return result, err
}

// watch tells the observer how it goes until wait returns.
func (f *Flood) watch(begin time.Time, lanes []*lane, wait func() error) error {
	observe := func() {
		var counts Counts
		for _, lane := range lanes {
			counts.add(lane.published())
		}
		if f.Observe != nil {
			f.Observe(time.Since(begin), counts)
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

func closeAll(lanes []*lane) {
	for _, lane := range lanes {
		lane.conn.Close()
	}
}

// newLane opens a socket. Each lane starts at its own place among the subjects.
func (f *Flood) newLane(number int) (*lane, error) {
	conn, batch, err := dialBatch(f.Server.Address)
	if err != nil {
		return nil, err
	}
	var seed [32]byte
	seed[0], seed[1] = byte(number), byte(number>>8)
	for i := range 8 {
		seed[8+i] = byte(f.Seed >> (8 * i))
	}
	random := rand.NewChaCha8(seed)
	l := &lane{
		flood: f, conn: conn, batch: batch, random: random,
		builder: Builder{Signer: f.Server.Signer, Random: random},
		next:    len(f.Subjects) * number / f.Sockets,
		latency: hdrhistogram.New(1, latencyRange, 3),
		free:    make([]uint8, 0, identifiers),
	}
	for i := range identifiers {
		l.free = append(l.free, uint8(i))
	}
	return l, nil
}
