// Package bookkeeper writes down, behind the scenes, what became of subscribers'
// Option 82 checks. Whoever validates never waits for the store: notes are
// gathered in memory, merged for each subscriber, and recorded every interval.
// The package never decides, and loses notes (counted) rather than hold anybody
// up.
package bookkeeper

import (
	"context"
	"fmt"
	"hash/maphash"
	"log/slog"
	"sync/atomic"
	"time"

	"linegate"
	"linegate/store"
)

// Recorder makes validation records durable; a store.Engine is one.
type Recorder interface {
	RecordValidations(ctx context.Context, checks []store.ValidationRecord) error
}

// Options tune a Bookkeeper; zero fields get the default.
type Options struct {
	Interval   time.Duration    // between flushes; default 1 s
	MaxPending int              // subscribers with notes not yet recorded; default 262,144
	Logger     *slog.Logger     // default: none
	Ticks      <-chan time.Time // tells when to flush, instead of Interval
}

const (
	shardCount = 64
	// batchSize is how many records go into one transaction, and a shard's more.
	batchSize = 4096
	// unhurried is how many notes are recorded at every tick. When there are more, only
	// every ticksPerShard-th tick records a shard: whoever is answered must not wait for
	// the bookkeeping of a flood, or of a whole town that comes back after a power cut.
	unhurried     = 2048
	ticksPerShard = 4
	// lastFlush is how long the store may take at the end.
	lastFlush = 5 * time.Second
)

// Bookkeeper gathers notes and has them recorded. Make one with New and keep Run
// running. It is safe for concurrent use.
type Bookkeeper struct {
	recorder Recorder
	options  Options
	seed     maphash.Seed
	recent   recent
	shards   [shardCount]shard
	batch    []store.ValidationRecord // Run's, reused
	next     int                      // Run's: the shard that the next flush begins with
	hurried  int                      // Run's: ticks since there are more notes than unhurried

	pending  atomic.Int64
	recorded atomic.Uint64
	dropped  atomic.Uint64
	failures atomic.Uint64
}

// New returns a Bookkeeper that writes to the recorder once Run runs.
func New(recorder Recorder, options Options) *Bookkeeper {
	if options.Interval <= 0 {
		options.Interval = time.Second
	}
	if options.MaxPending <= 0 {
		options.MaxPending = 262_144
	}
	if options.Logger == nil {
		options.Logger = slog.New(slog.DiscardHandler)
	}
	b := &Bookkeeper{recorder: recorder, options: options, seed: maphash.MakeSeed(), recent: newRecent()}
	for i := range b.shards {
		b.shards[i].notes = make(map[string]note)
	}
	return b
}

// Validated notes the outcome of one check. It never waits for IO. A result that
// was noted less than ten seconds ago is not noted again; mismatches are, so that
// each counts. When MaxPending subscribers have notes already, the note of yet
// another is dropped and counted.
func (b *Bookkeeper) Validated(subscriberID string, at time.Time, result linegate.Option82Result) {
	fresh := note{lastAt: at, lastResult: result}
	if result == linegate.Option82Mismatch {
		fresh.mismatches = 1
	}
	hash := maphash.String(b.seed, subscriberID)
	mark := markOf(hash, at, result)
	if fresh.mismatches == 0 && b.recent.holds(hash, mark) {
		return
	}
	if !b.note(&b.shards[hash%shardCount], subscriberID, fresh) {
		b.dropped.Add(1)
		return
	}
	b.recent.remember(hash, mark)
}

// note takes a note up, unless there is no room for another subscriber's.
func (b *Bookkeeper) note(shard *shard, subscriberID string, fresh note) bool {
	shard.mu.Lock()
	defer shard.mu.Unlock()
	if held, found := shard.notes[subscriberID]; found {
		shard.notes[subscriberID] = held.merge(fresh)
		return true
	}
	if b.pending.Add(1) > int64(b.options.MaxPending) {
		b.pending.Add(-1)
		return false
	}
	shard.notes[subscriberID] = fresh
	return true
}

// Run records what was noted, every interval and once more when ctx ends; when there
// is very much, a part of it at a time (unhurried). A failing store only delays: notes
// are kept and tried again. It returns an error when the last attempt fails.
func (b *Bookkeeper) Run(ctx context.Context) error {
	ticks := b.options.Ticks
	if ticks == nil {
		ticker := time.NewTicker(b.options.Interval)
		defer ticker.Stop()
		ticks = ticker.C
	}
	failing := false
	for {
		select {
		case <-ticks:
			failing = b.flushAndTell(ctx, failing)
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastFlush)
			defer cancel()
			if err := b.flush(last, shardCount); err != nil {
				return fmt.Errorf("bookkeeping of %d subscribers is lost: %w", b.pending.Load(), err)
			}
			return nil
		}
	}
}

// flushAndTell flushes and logs the beginning and the end of an outage.
func (b *Bookkeeper) flushAndTell(ctx context.Context, wasFailing bool) (failing bool) {
	err := b.flush(ctx, b.shardsDue())
	switch {
	case err != nil && ctx.Err() != nil:
		return wasFailing // not the store's fault; the last flush takes it up
	case err != nil && !wasFailing:
		b.options.Logger.Warn("validation bookkeeping can't be recorded: it is kept and tried again", "error", err)
	case err == nil && wasFailing:
		b.options.Logger.Info("validation bookkeeping is recorded again")
	}
	return err != nil
}

// shardsDue is how many shards a tick records.
func (b *Bookkeeper) shardsDue() int {
	if b.pending.Load() <= unhurried {
		b.hurried = 0
		return shardCount
	}
	b.hurried++
	if b.hurried%ticksPerShard != 0 {
		return 0
	}
	return 1
}

// flush records the notes of so many shards, batch by batch, until the first
// failure.
func (b *Bookkeeper) flush(ctx context.Context, shards int) error {
	for i := range shards {
		b.batch = b.shards[b.next].take(b.batch)
		b.next = (b.next + 1) % shardCount
		if len(b.batch) < batchSize && i < shards-1 {
			continue
		}
		if err := b.record(ctx); err != nil {
			return err
		}
	}
	return nil
}

// record writes the batch, or puts it back among the notes.
func (b *Bookkeeper) record(ctx context.Context) error {
	if len(b.batch) == 0 {
		return nil
	}
	defer func() {
		clear(b.batch) // lets go of the IDs
		b.batch = b.batch[:0]
	}()
	if err := b.recorder.RecordValidations(ctx, b.batch); err != nil {
		b.failures.Add(1)
		for _, record := range b.batch {
			if merged := b.shard(record.SubscriberID).putBack(record); merged {
				b.pending.Add(-1)
			}
		}
		return err
	}
	b.pending.Add(-int64(len(b.batch)))
	b.recorded.Add(uint64(len(b.batch)))
	return nil
}

func (b *Bookkeeper) shard(subscriberID string) *shard {
	return &b.shards[maphash.String(b.seed, subscriberID)%shardCount]
}

// Stats is what the bookkeeper has done since it was made.
type Stats struct {
	Pending  int64  // subscribers with notes not yet recorded
	Recorded uint64 // records written
	Dropped  uint64 // notes not taken because MaxPending was reached
	Failures uint64 // batches that the store did not take; they are tried again
}

// Stats returns the counters as they stand.
func (b *Bookkeeper) Stats() Stats {
	return Stats{
		Pending:  b.pending.Load(),
		Recorded: b.recorded.Load(),
		Dropped:  b.dropped.Load(),
		Failures: b.failures.Load(),
	}
}
