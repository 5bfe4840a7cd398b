package ledger

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"linegate"
)

// Spool keeps events on this machine's disk, oldest first. *spool.Spool is one.
type Spool interface {
	// Append makes events durable behind those that wait, all or none.
	Append(events []linegate.AccountingEvent) error
	// Read returns the oldest events that wait, without taking them away.
	Read(limit int) ([]linegate.AccountingEvent, error)
	// Release takes away the first count of those that Read returned last.
	Release(count int) error
	// SetAside keeps an event that the store refuses, for people to look at.
	SetAside(event *linegate.AccountingEvent, cause error) error
	// Len returns how many events wait.
	Len() int
}

const (
	// patience is how long a batch waits for the store before it takes the detour.
	patience = 200 * time.Millisecond
	// replayLimit is how long a replayed batch may take.
	replayLimit = 5 * time.Second
	// While the store is away it is asked with a small batch after waits that double
	// up to the longest; each is made shorter by chance, up to the half, so that
	// servers that lost the same store don't come back at once. Batches of a store
	// that answers double up to the largest.
	firstProbe   = 500 * time.Millisecond
	longestProbe = 5 * time.Second
	probeBatch   = 64
	replayBatch  = 2048
	// slowReplay is when a batch took so long that the next is half as large: another
	// server on the same store, whose NAS it holds, waits for patience only.
	slowReplay = patience / 2
	// mostRoom bounds how many events may come faster than they are replayed before
	// their senders are held back.
	mostRoom = 4 * replayBatch
)

// detour is the way of events through the spool. It is in use from the first batch
// that the store did not take until the spool is empty again.
type detour struct {
	spool  Spool
	line   *line // to the store, for all calls of the ledger
	logger *slog.Logger
	begun  chan struct{} // wakes the replayer

	// mu guards inUse: a batch is appended under it, so that the last one is
	// replayed before others go to the store.
	mu       sync.Mutex
	inUse    bool
	since    time.Time
	appended int
	replayed int // by the replayer; those set aside included

	// catchingUp: the store takes what is replayed. Then two that are replayed make room
	// for one that comes; without any they come too fast.
	catchingUp bool
	room       int
	stepped    chan struct{} // holds a token after a batch of the replayer
}

func newDetour(spool Spool, recorder Recorder, logger *slog.Logger) *detour {
	d := &detour{spool: spool, line: newLine(recorder), logger: logger,
		begun: make(chan struct{}, 1), stepped: make(chan struct{}, 1)}
	if left := spool.Len(); left > 0 {
		d.open()
		logger.Warn("accounting of an earlier run waits in the spool: it is replayed first", "events", left)
	}
	return d
}

// follow appends the events when others wait already; taken is false when none do
// and the store is to be asked.
func (d *detour) follow(events []linegate.AccountingEvent) (taken bool, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.inUse {
		return false, nil
	}
	return true, d.append(events)
}

// begin takes the detour for events that the store did not take.
func (d *detour) begin(events []linegate.AccountingEvent, cause error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.open()
	if err := d.append(events); err != nil {
		return err
	}
	d.logger.Warn("the store does not take accounting: it goes to the spool", "error", cause.Error())
	return nil
}

// open puts the detour in use. The replayer ends it soon when nothing could be
// appended, so that the store is asked again.
func (d *detour) open() {
	d.inUse, d.since, d.appended, d.replayed = true, time.Now(), 0, 0
	d.catchingUp, d.room = false, mostRoom
	d.begun <- struct{}{} // has room: it is taken out before inUse ends
}

func (d *detour) append(events []linegate.AccountingEvent) error {
	if err := d.spool.Append(events); err != nil {
		return fmt.Errorf("%w: %w", linegate.ErrUnavailable, err)
	}
	d.appended += len(events)
	if d.catchingUp {
		d.room -= len(events)
	}
	return nil
}

// giveWay holds back the senders of what was appended, for patience at most, when
// more comes than is replayed: a disk takes events faster than a store, so that
// senders who only wait for their answer would keep the spool from ever being empty.
func (d *detour) giveWay(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for d.tooFast() && ctx.Err() == nil {
		select {
		case <-d.stepped:
		case <-ctx.Done():
		}
	}
}

func (d *detour) tooFast() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.inUse && d.catchingUp && d.room < 0
}

// note keeps how a batch of the replayer went.
func (d *detour) note(settled int, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.replayed += settled
	d.catchingUp = err == nil
	d.room = min(d.room+settled/2, mostRoom)
	d.wakeSenders()
}

// wakeSenders lets who is held back look again.
func (d *detour) wakeSenders() {
	select {
	case d.stepped <- struct{}{}:
	default:
	}
}

// start runs the replayer until the returned function is called, which waits for
// it and for the last call of the store.
func (d *detour) start(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var replayer sync.WaitGroup
	replayer.Go(func() {
		for ctx.Err() == nil {
			select {
			case <-d.begun:
				d.replay(ctx)
			case <-ctx.Done():
			}
		}
	})
	return func() {
		cancel()
		replayer.Wait()
		d.line.hangUp(shutdownLimit)
	}
}

// replay moves events from the spool to the store until the detour is over or ctx
// ends.
func (d *detour) replay(ctx context.Context) {
	pause(ctx, firstProbe)
	for wait, size := 2*firstProbe, probeBatch; ctx.Err() == nil; {
		began := time.Now()
		more, err := d.step(ctx, size)
		switch {
		case err != nil:
			if ctx.Err() == nil && !errors.Is(err, linegate.ErrUnavailable) {
				d.logger.Error("the accounting spool can't be replayed: it is tried again", "error", err.Error())
			}
			pause(ctx, wait)
			wait, size = min(2*wait, longestProbe), probeBatch
		case !more:
			return
		case time.Since(began) > slowReplay:
			wait, size = firstProbe, max(size/2, probeBatch)
		default:
			wait, size = firstProbe, min(2*size, replayBatch)
		}
	}
}

// pause waits between half of the time and all of it.
func pause(ctx context.Context, longest time.Duration) {
	select {
	case <-time.After(longest/2 + rand.N(longest/2)):
	case <-ctx.Done():
	}
}

// step replays one batch from the front; more is false when the detour is over.
func (d *detour) step(ctx context.Context, size int) (more bool, err error) {
	events, err := d.spool.Read(size)
	if err != nil {
		return true, err
	}
	if len(events) == 0 {
		return !d.end(), nil
	}
	settled, err := d.settle(ctx, events)
	d.note(settled, err)
	return true, errors.Join(err, d.spool.Release(settled))
}

// settle records the events, and halves what the store refuses for something
// other than being away until what it can't take stands alone; that is set aside.
// It returns how many from the first on are durable.
func (d *detour) settle(ctx context.Context, events []linegate.AccountingEvent) (settled int, err error) {
	err = d.line.record(ctx, replayLimit, events)
	switch {
	case err == nil:
		return len(events), nil
	case errors.Is(err, linegate.ErrUnavailable):
		return 0, err
	case len(events) == 1:
		return d.setAside(&events[0], err)
	}
	half := len(events) / 2
	if settled, err = d.settle(ctx, events[:half]); err != nil {
		return settled, err
	}
	rest, err := d.settle(ctx, events[half:])
	return settled + rest, err
}

func (d *detour) setAside(event *linegate.AccountingEvent, cause error) (settled int, err error) {
	if err := d.spool.SetAside(event, cause); err != nil {
		return 0, err
	}
	d.logger.Error("the store refuses an accounting event: it is set aside", "error", cause.Error(),
		"tenant_id", event.NAS.Tenant, "nas", event.NAS.Name, "status", string(event.Status), "acct_session_id", event.AcctSessionID)
	return 1, nil
}

// end ends the detour if nothing waits. What is appended later asks the store
// first.
func (d *detour) end() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.spool.Len() > 0 {
		return false
	}
	d.inUse = false
	d.wakeSenders()
	if d.replayed > 0 {
		d.logger.Info("the spool is empty: accounting goes to the store again",
			"spooled", d.appended, "replayed", d.replayed, "took", time.Since(d.since).String())
	}
	return true
}
