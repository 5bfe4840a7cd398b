// Package ledger lets many accounting requests share one commit: it queues
// events, records them in batches and tells each sender when its event is
// durable. It never drops an event that it took, never waits to fill a batch, and
// knows nothing about packets or about how a store keeps events.
package ledger

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"linegate"
)

// Recorder makes accounting events durable, all or none. store.Engine is one.
type Recorder interface {
	RecordAccounting(ctx context.Context, events []linegate.AccountingEvent) error
}

// Options bound the ledger. The zero value takes the defaults.
type Options struct {
	QueueSize int // events that may wait; default 65536
	MaxBatch  int // events in one commit; default 512
}

const (
	// While the store is unavailable a batch is tried again, the waits doubling.
	// They add up to 1.3 seconds: less than a NAS waits before it retransmits.
	attempts  = 8
	firstWait = 10 * time.Millisecond
	// shutdownLimit is how long the commits may take once Run's ctx has ended.
	shutdownLimit = 10 * time.Second
)

// Ledger is a bounded queue in front of a Recorder. It is safe for concurrent
// use; Run is called once.
type Ledger struct {
	recorder Recorder
	maxBatch int
	queue    chan entry

	// closing guards closed: an event is queued under the read lock, so that Run,
	// having set closed, knows that it sees the last one.
	closing sync.RWMutex
	closed  bool
}

type entry struct {
	event *linegate.AccountingEvent
	done  func(error)
}

// New returns a ledger that records nothing until Run is called.
func New(recorder Recorder, options Options) *Ledger {
	if options.QueueSize <= 0 {
		options.QueueSize = 65536
	}
	if options.MaxBatch <= 0 {
		options.MaxBatch = 512
	}
	return &Ledger{recorder: recorder, maxBatch: options.MaxBatch, queue: make(chan entry, options.QueueSize)}
}

// Depth returns how many events wait to be taken into a batch.
func (l *Ledger) Depth() int { return len(l.queue) }

// Record queues the event and returns at once. done is called exactly once, from
// Run's goroutine, with nil when the event is durable; it must not block. When
// Record itself returns an error, done is not called: linegate.ErrOverloaded says
// that the queue is full, linegate.ErrUnavailable that Run has ended.
func (l *Ledger) Record(event linegate.AccountingEvent, done func(error)) error {
	l.closing.RLock()
	defer l.closing.RUnlock()
	if l.closed {
		return fmt.Errorf("ledger is closed: %w", linegate.ErrUnavailable)
	}
	select {
	case l.queue <- entry{&event, done}:
		return nil
	default:
		return fmt.Errorf("ledger of %d events is full: %w", cap(l.queue), linegate.ErrOverloaded)
	}
}

// Run commits batches until ctx ends; then it takes no more events, commits those
// that are queued, and returns nil. It gives up on the store ten seconds after
// ctx has ended: the senders of what is still queued then are told so.
func (l *Ledger) Run(ctx context.Context) error {
	working, release := outlive(ctx, shutdownLimit)
	defer release()
	for {
		select {
		case first := <-l.queue:
			l.commit(working, l.batch(first))
		case <-ctx.Done():
			l.drain(working)
			return nil
		}
	}
}

// outlive returns a context that ends a while after ctx does, so that shutting
// down doesn't cut a commit short, whose outcome nobody would know.
func outlive(ctx context.Context, limit time.Duration) (working context.Context, release func()) {
	working, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(limit, cancel) })
	return working, func() { stop(); cancel() }
}

// drain closes the queue to senders and commits what they had put in.
func (l *Ledger) drain(working context.Context) {
	l.closing.Lock()
	l.closed = true
	l.closing.Unlock()
	for {
		select {
		case first := <-l.queue:
			l.commit(working, l.batch(first))
		default:
			return
		}
	}
}

// batch takes what is queued behind first, up to the size of a batch: events
// that came during one commit make the next.
func (l *Ledger) batch(first entry) []entry {
	batch := append(make([]entry, 0, min(l.maxBatch, len(l.queue)+1)), first)
	for len(batch) < l.maxBatch {
		select {
		case next := <-l.queue:
			batch = append(batch, next)
		default:
			return batch
		}
	}
	return batch
}

// commit records the batch as one. If the store refuses it for something other
// than being away, each event is recorded alone, so that one that can't be
// recorded doesn't sink its neighbours.
func (l *Ledger) commit(ctx context.Context, batch []entry) {
	err := l.record(ctx, batch)
	if err == nil || len(batch) == 1 || errors.Is(err, linegate.ErrUnavailable) {
		tell(batch, err)
		return
	}
	for i := range batch {
		err := l.record(ctx, batch[i:i+1])
		if errors.Is(err, linegate.ErrUnavailable) {
			tell(batch[i:], err)
			return
		}
		tell(batch[i:i+1], err)
	}
}

func tell(batch []entry, err error) {
	for _, entry := range batch {
		entry.done(err)
	}
}

// record tries again while the store is unavailable, a bounded number of times.
func (l *Ledger) record(ctx context.Context, batch []entry) error {
	events := make([]linegate.AccountingEvent, len(batch))
	for i := range batch {
		events[i] = *batch[i].event
	}
	wait := firstWait
	for attempt := 1; ; attempt++ {
		err := l.recorder.RecordAccounting(ctx, events)
		if !errors.Is(err, linegate.ErrUnavailable) || attempt == attempts {
			return err
		}
		select {
		case <-time.After(wait):
			wait *= 2
		case <-ctx.Done():
			return err
		}
	}
}
