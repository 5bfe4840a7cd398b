// Package ledger lets many accounting requests share one commit: it queues
// events, records them in batches and tells each sender when its event is
// durable. While the store is away the batches take a detour: they go to a spool on
// this machine's disk, are durable there, and are replayed in order when the store
// is back. It never drops an event that it took, never waits to fill a batch, and
// knows nothing about packets or about how a store or a spool keeps events.
package ledger

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
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
	// Spool takes the events while the store is away. With none a batch is tried
	// again for 1.3 seconds and then given up.
	Spool  Spool
	Logger *slog.Logger // told when the spool is used and when it is empty; default: none
}

const (
	// While the store is unavailable and there is no spool, a batch is tried again,
	// the waits doubling. They add up to 1.3 seconds: less than a NAS waits before it retransmits.
	attempts  = 8
	firstWait = 10 * time.Millisecond
	// shutdownLimit is how long the commits may take once Run's ctx has ended.
	shutdownLimit = 10 * time.Second
)

// Ledger is a bounded queue in front of a Recorder. It is safe for concurrent
// use; Run is called once.
type Ledger struct {
	recorder Recorder
	detour   *detour // nil: no spool
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
	if options.Logger == nil {
		options.Logger = slog.New(slog.DiscardHandler)
	}
	l := &Ledger{recorder: recorder, maxBatch: options.MaxBatch, queue: make(chan entry, options.QueueSize)}
	if options.Spool != nil {
		l.detour = newDetour(options.Spool, recorder, options.Logger)
	}
	return l
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

// Run commits batches until ctx ends; then it takes no more events, makes those
// that are queued durable, and returns nil. It gives up on the store ten seconds
// after ctx has ended: the senders of what is still queued then are told so. What
// is in the spool stays there for the next start.
func (l *Ledger) Run(ctx context.Context) error {
	working, release := outlive(ctx, shutdownLimit)
	defer release()
	if l.detour != nil {
		defer l.detour.start(working)()
	}
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

// commit makes the batch durable: in the spool while that is in use, so that the
// order is kept; else in the store; and in the spool after all when the store
// turns out to be away.
func (l *Ledger) commit(ctx context.Context, batch []entry) {
	events := eventsOf(batch)
	if l.detour == nil {
		left, err := l.settle(ctx, batch, events)
		tell(batch[len(batch)-left:], err)
		return
	}
	if taken, err := l.detour.follow(events); taken {
		l.detour.giveWay(ctx)
		tell(batch, err)
		return
	}
	if left, err := l.settle(ctx, batch, events); left > 0 {
		from := len(batch) - left
		tell(batch[from:], l.detour.begin(events[from:], err))
	}
}

// settle records the batch as one and tells its senders. If the store refuses it
// for something other than being away, it is halved, so that one event that can't
// be recorded doesn't sink its neighbours. left is how many at the end are not settled
// since the store is away, and err why.
func (l *Ledger) settle(ctx context.Context, batch []entry, events []linegate.AccountingEvent) (left int, err error) {
	err = l.record(ctx, events)
	if errors.Is(err, linegate.ErrUnavailable) {
		return len(batch), err
	}
	if err == nil || len(batch) == 1 {
		tell(batch, err)
		return 0, nil
	}
	half := len(batch) / 2
	if left, err := l.settle(ctx, batch[:half], events[:half]); left > 0 {
		return left + len(batch) - half, err
	}
	return l.settle(ctx, batch[half:], events[half:])
}

func tell(batch []entry, err error) {
	for _, entry := range batch {
		entry.done(err)
	}
}

func eventsOf(batch []entry) []linegate.AccountingEvent {
	events := make([]linegate.AccountingEvent, len(batch))
	for i := range batch {
		events[i] = *batch[i].event
	}
	return events
}

// record asks the store. Where there is a spool to go to it asks once, and for
// patience only; else again while the store is unavailable, a bounded number of
// times.
func (l *Ledger) record(ctx context.Context, events []linegate.AccountingEvent) error {
	if l.detour != nil {
		return l.detour.line.record(ctx, patience, events)
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
