package snapshot

import (
	"context"
	"log/slog"
	"time"

	"linegate/store"
)

// Keeper writes a snapshot when something changed, and at intervals. A copy of
// very many subscribers costs the store some work, so after one that took long
// the next waits longer. Make one with NewKeeper and keep Run running.
type Keeper struct {
	path    string
	sealer  *store.Sealer
	source  Source
	options KeeperOptions
	changed chan struct{}
}

// KeeperOptions tune a Keeper; zero fields get the default.
type KeeperOptions struct {
	Interval time.Duration // between snapshots when nothing changes; default 1 h
	Pause    time.Duration // between two at least; default 5 s
	Logger   *slog.Logger  // default: none
	Now      func() time.Time
}

// restShare: a copy rests at least so many times as long as it took.
const restShare = 20

// NewKeeper returns a Keeper of the file at path.
func NewKeeper(path string, sealer *store.Sealer, source Source, options KeeperOptions) *Keeper {
	if options.Interval <= 0 {
		options.Interval = time.Hour
	}
	if options.Pause <= 0 {
		options.Pause = 5 * time.Second
	}
	if options.Logger == nil {
		options.Logger = slog.New(slog.DiscardHandler)
	}
	if options.Now == nil {
		options.Now = time.Now
	}
	return &Keeper{path: path, sealer: sealer, source: source, options: options, changed: make(chan struct{}, 1)}
}

// Changed has a new snapshot written soon. It never blocks.
func (k *Keeper) Changed() {
	select {
	case k.changed <- struct{}{}:
	default: // one is asked for already
	}
}

// Run writes the first snapshot at once and then as changes ask for it, until ctx
// ends. Failures only delay: the file stays as it was.
func (k *Keeper) Run(ctx context.Context) {
	failing := false
	for ctx.Err() == nil {
		began := k.options.Now()
		revision, subscribers, err := Write(ctx, k.path, k.sealer, k.source, began)
		took := k.options.Now().Sub(began)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil && !failing:
			k.options.Logger.Warn("no new snapshot can be written: the old one stays", "error", err.Error())
		case err == nil:
			k.options.Logger.Debug("snapshot written", "file", k.path, "revision", revision, "subscribers", subscribers, "took", took.String())
		}
		failing = err != nil
		k.rest(ctx, max(k.options.Pause, restShare*took), failing)
	}
}

// rest returns when the next snapshot is due.
func (k *Keeper) rest(ctx context.Context, least time.Duration, failing bool) {
	select {
	case <-ctx.Done():
		return
	case <-time.After(least):
	}
	if failing {
		return
	}
	select {
	case <-ctx.Done():
	case <-k.changed:
	case <-time.After(k.options.Interval):
	}
}
