package cache

import (
	"context"
	"fmt"
	"sync"
	"time"

	"linegate"
)

const (
	feedPage = 1000 // entries read at once
	// pollInterval is when the feed is read although nothing seems to have changed.
	pollInterval = 500 * time.Millisecond
	// gatherTime is how long after a hint the feed is read: the engine may hint at
	// every commit, also those that are no change.
	gatherTime = 20 * time.Millisecond
	// feedFresh is how long after a read of the feed the filter is believed.
	feedFresh = 3 * time.Second
	// Pauses between attempts while the store is away.
	minPause = 100 * time.Millisecond
	maxPause = time.Second
	// loadsPerWorker leaves most of MaxLoads to those who wait for an answer.
	loadsPerWorker = 8
)

// Follow applies changes as the engine's feed brings them, from the revision that
// Warm saw, and loads changed keys again behind the scenes. It completes a Warm
// that failed. It outlasts every error of the store and returns, nil, only when
// ctx ends. Call it once.
func (c *Cache) Follow(ctx context.Context) error {
	var workers sync.WaitGroup
	defer workers.Wait()
	for range max(c.options.MaxLoads/loadsPerWorker, 1) {
		workers.Go(func() { c.reloadQueued(ctx) })
	}
	defer c.feedReadAt.Store(neverRead)

	pause := minPause
	for ctx.Err() == nil {
		if err := c.catchUp(ctx); err != nil {
			c.lose()
			pause = c.pauseAfter(ctx, err, pause)
			continue
		}
		c.away.Store(false)
		if pause > minPause {
			c.options.Logger.Info("change feed is back", "revision", c.position.Load())
			pause = minPause
		}
		c.awaitChange(ctx)
	}
	return nil
}

// pauseAfter waits before the next attempt and returns how long to wait after
// another failure. It logs the first failure of an outage.
func (c *Cache) pauseAfter(ctx context.Context, err error, pause time.Duration) time.Duration {
	if pause == minPause && ctx.Err() == nil {
		c.options.Logger.Warn("change feed can't be read: changes are not seen", "error", err)
	}
	sleep(ctx, pause)
	return min(2*pause, maxPause)
}

// catchUp reads the feed to its end and applies it. A long tail of changes, as an
// import makes, takes seconds: until it is through, only the store is believed, so
// that the last of them is enforced as soon as the first. If the store goes away
// meanwhile, memory has to do.
func (c *Cache) catchUp(ctx context.Context) error {
	if err := c.verify(ctx); err != nil {
		return err
	}
	if err := c.Warm(ctx); err != nil {
		return err
	}
	defer c.behindSince.Store(caughtUp)
	for {
		readAt, after := c.age(), c.position.Load()
		entries, err := c.engine.Feed(ctx, after, feedPage)
		if err != nil {
			return fmt.Errorf("feed after revision %d: %w", after, err)
		}
		if len(entries) == feedPage && c.behindSince.Load() == caughtUp {
			c.behindSince.Store(int64(readAt))
		}
		if len(entries) > 0 {
			c.apply(entries)
		}
		if len(entries) < feedPage {
			c.feedReadAt.Store(int64(readAt))
			c.heardAt.Store(int64(readAt))
			return nil
		}
	}
}

// apply takes all that changed out of memory and, when none of it can be seen any
// more, tells of the changes. New states are loaded behind the scenes, so that a
// change of very many doesn't hold up the next.
func (c *Cache) apply(entries []linegate.AuditEntry) {
	filter := c.filter.Load()
	for i := range entries {
		for _, key := range entries[i].Keys {
			filter.add(c.hash(key))
			c.forget(key)
		}
	}
	c.position.Store(entries[len(entries)-1].Revision)
	c.options.OnChange(entries)
	for i := range entries {
		for _, key := range entries[i].Keys {
			c.reloadLater(key)
		}
	}
}

// awaitChange returns when the feed is worth reading again.
func (c *Cache) awaitChange(ctx context.Context) {
	wait, cancel := context.WithTimeout(ctx, pollInterval)
	defer cancel()
	if err := c.engine.Changed(wait); err != nil {
		<-wait.Done() // no hints at present: there is still the interval
		return
	}
	sleep(wait, gatherTime)
}

// reloadQueued loads queued keys until ctx ends. Failures are counted by Load,
// and whoever asks for such a key loads it.
func (c *Cache) reloadQueued(ctx context.Context) {
	for {
		select {
		case key := <-c.reload:
			_, _ = c.Load(ctx, key)
		case <-ctx.Done():
			return
		}
	}
}

// current reports whether the feed was read to its end a moment ago.
func (c *Cache) current(now time.Duration) bool {
	readAt := c.feedReadAt.Load()
	return readAt != neverRead && now-time.Duration(readAt) < feedFresh
}

// sleep returns after d or when ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
