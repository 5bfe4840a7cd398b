package main

import (
	"context"
	"errors"
	"io"
	"time"

	"linegate"
	"linegate/store/snapshot"
	"linegate/telemetry"
)

// What a server does while its store is away: it answers from memory, and one
// that starts meanwhile from the snapshot of an earlier run.

// firstAnswer is how long a start waits for the store before it takes the
// snapshot.
const firstAnswer = 5 * time.Second

// begin loads the NAS from the store, or all there is from the snapshot when the
// store is away. With neither the server still starts, and knows nobody until the
// store is back.
func (d *daemon) begin(ctx context.Context, away error) error {
	if away == nil {
		asked, cancel := context.WithTimeout(ctx, firstAnswer)
		defer cancel()
		if away = d.loadNASes(asked); !errors.Is(away, linegate.ErrUnavailable) {
			return away
		}
	}
	d.logger.Warn("the store is away", "error", away.Error())
	if d.cfg.Snapshot == "" {
		d.logger.Error("there is no snapshot to start from: nobody is answered until the store is back")
		return nil
	}
	d.restore()
	return nil
}

// prepare makes the store ready, once.
func (d *daemon) prepare(ctx context.Context) error {
	if d.usable.Load() {
		return nil
	}
	err := makeReady(ctx, d.engine.Engine, d.cfg, io.Discard)
	d.usable.Store(err == nil)
	return err
}

// awaitStore waits until the store is there and is one that we can use, and knows
// its NAS. Meanwhile nothing is written to it.
func (d *daemon) awaitStore(ctx context.Context) {
	for ctx.Err() == nil {
		err := d.prepare(ctx)
		if err == nil {
			break
		}
		if !errors.Is(err, linegate.ErrUnavailable) {
			d.logger.Error("the store is back and can't be used", "error", err.Error())
		}
		wait(ctx, retryInterval)
	}
	if !d.nasesKnown {
		d.reloadNASes(ctx)
	}
}

// restore starts from the snapshot. A damaged one is as good as none.
func (d *daemon) restore() {
	copied, err := snapshot.Read(d.cfg.Snapshot, d.sealer)
	if err != nil {
		d.logger.Error("there is no snapshot to start from: nobody is answered until the store is back", "error", err.Error())
		return
	}
	d.cache.Restore(copied.StoreID, copied.Revision, copied.Subscribers)
	d.useNASes(copied.NASes)
	d.restored.Store(true)
	d.logger.Warn("started from a snapshot: changes since then are not known until the store is back",
		"file", d.cfg.Snapshot, "taken_at", copied.TakenAt.UTC().Format(time.RFC3339), "revision", copied.Revision,
		"subscribers", len(copied.Subscribers), "nas", len(copied.NASes))
}

// keepSnapshot writes snapshots from when all subscribers are in memory until ctx
// ends.
func (d *daemon) keepSnapshot(ctx context.Context) {
	select {
	case <-d.filled:
		d.keeper.Run(ctx)
	case <-ctx.Done():
	}
}

// standing is what requests are answered from at present.
func (d *daemon) standing() telemetry.Standing {
	switch stats := d.cache.Stats(); {
	case stats.Current:
		d.restored.Store(false)
		return telemetry.StandingStore
	case d.restored.Load():
		return telemetry.StandingSnapshot
	case d.warm():
		return telemetry.StandingMemory
	case !d.engine.Away():
		return telemetry.StandingStore
	}
	return telemetry.StandingNothing
}

// storeChanged tells that the store went away or is back.
func (d *daemon) storeChanged(away bool) {
	if away {
		d.logger.Warn("the store does not answer: known subscribers are answered from memory")
		return
	}
	d.logger.Info("the store answers again")
}

// warm reports whether memory holds every subscriber that it has room for.
func (d *daemon) warm() bool {
	select {
	case <-d.filled:
		return true
	default:
		return false
	}
}

// reloadNASes loads the NAS until that works or ctx ends.
func (d *daemon) reloadNASes(ctx context.Context) {
	for ctx.Err() == nil {
		err := d.loadNASes(ctx)
		if err == nil {
			return
		}
		d.logger.Warn("NAS can't be loaded yet: the old ones stay", "error", err.Error())
		wait(ctx, retryInterval)
	}
}
