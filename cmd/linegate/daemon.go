package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"reflect"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"linegate"
	"linegate/api"
	"linegate/cmd/linegate/config"
	"linegate/radiusd"
	"linegate/store"
	"linegate/store/bookkeeper"
	"linegate/store/cache"
	"linegate/store/ledger"
	"linegate/telemetry"
)

// daemon is everything that runs in a server process, wired together.
type daemon struct {
	cfg    config.Config // what runs now; reload replaces it
	logger *telemetry.Logger
	level  *slog.LevelVar

	engine     store.Engine
	cache      *cache.Cache
	ledger     *ledger.Ledger
	bookkeeper *bookkeeper.Bookkeeper
	metrics    *telemetry.Metrics
	server     *radiusd.Server
	live       *liveChanges
	http       net.Listener // nil: off
	warm       atomic.Bool  // the cache holds every subscriber
	commits    *watchedRecorder
}

// newDaemon opens all sockets and knows all NAS, but does not serve yet.
func newDaemon(ctx context.Context, cfg config.Config, engine store.Engine, logger *telemetry.Logger, level *slog.LevelVar) (*daemon, error) {
	d := &daemon{cfg: cfg, logger: logger, level: level, engine: engine, metrics: telemetry.NewMetrics()}
	var err error
	d.cache, err = cache.New(engine, cache.Options{
		MaxBytes: cfg.Cache.MaxBytes, NegativeTTL: cfg.Cache.NegativeTTL, Logger: logger.Logger,
		OnChange: func(entries []linegate.AuditEntry) { d.changed(ctx, entries) },
	})
	if err != nil {
		return nil, err
	}
	d.commits = &watchedRecorder{Recorder: engine, metrics: d.metrics}
	d.ledger = ledger.New(d.commits, ledger.Options{QueueSize: cfg.Accounting.Queue})
	d.bookkeeper = bookkeeper.New(engine, bookkeeper.Options{Logger: logger.Logger})
	if d.server, err = d.newServer(ctx); err != nil {
		return nil, err
	}
	if d.live, err = newLiveChanges(ctx, cfg, engine, logger, d.metrics); err != nil {
		return nil, err
	}
	d.registerMetrics()
	if err := d.open(ctx); err != nil {
		d.live.close()
		return nil, err
	}
	return d, nil
}

func (d *daemon) newServer(ctx context.Context) (*radiusd.Server, error) {
	dialects, err := loadDialects(d.cfg)
	if err != nil {
		return nil, err
	}
	server, err := radiusd.New(ctx, radiusd.Options{
		Auth: d.cfg.Listen.Auth, Acct: d.cfg.Listen.Acct,
		Sockets:           d.cfg.Auth.Sockets,
		ReplyCacheEntries: d.cfg.Auth.ReplyCacheEntries,
		ReplyCacheTTL:     d.cfg.Auth.ReplyCacheTTL,
		Lookups:           d.cfg.Auth.Pending,
		HashWorkers:       d.cfg.Auth.HashWorkers,
		Dialects:          dialects,
		Directory:         d.cache,
		Ledger:            d.ledger,
		Bookkeeper:        d.bookkeeper,
		Learner:           d.engine,
		Metrics:           d.metrics,
		Logger:            d.logger.Logger,
	})
	if err != nil {
		return nil, err
	}
	server.SetSettings(d.cfg.Policy)
	server.LogEveryValidation(d.cfg.Log.Option82Validation == config.LogAllChecks)
	return server, nil
}

// open loads the NAS and opens all sockets.
func (d *daemon) open(ctx context.Context) error {
	if err := d.loadNASes(ctx); err != nil {
		return err
	}
	if err := d.server.Listen(ctx); err != nil {
		return err
	}
	if d.cfg.Listen.HTTP == "" {
		return nil
	}
	var err error
	if d.http, err = new(net.ListenConfig).Listen(ctx, "tcp", d.cfg.Listen.HTTP); err != nil {
		d.server.Close()
		return fmt.Errorf("listen for http: %w", err)
	}
	return nil
}

func (d *daemon) registerMetrics() {
	d.metrics.SetVersion(buildVersion())
	d.metrics.RegisterLog(d.logger.Dropped)
	d.metrics.RegisterReplyCaches(d.server.EvictedEarly)
	d.metrics.RegisterLedger(d.ledger.Depth)
	d.metrics.RegisterQueue("auth", d.server.Waiting)
	d.metrics.RegisterQueue("acct", d.ledger.Depth)
	d.metrics.RegisterCache(func() telemetry.CacheStats {
		stats := d.cache.Stats()
		return telemetry.CacheStats{
			Hits: stats.Hits + stats.NegativeHits + stats.FilteredUnknown, Misses: stats.Misses,
			Negative: stats.NegativeHits + stats.FilteredUnknown, Keys: int(stats.Keys),
		}
	})
}

// run serves until ctx ends. What the server hands its work to ends after it, so
// that nothing under way is lost.
func (d *daemon) run(ctx context.Context) error {
	behind, release := context.WithCancel(context.WithoutCancel(ctx))
	defer release()
	var writers errgroup.Group
	writers.Go(func() error { return d.ledger.Run(behind) })
	writers.Go(func() error { return d.bookkeeper.Run(behind) })

	front, ctx := errgroup.WithContext(ctx) // a socket that fails ends the whole
	front.Go(func() error { return d.server.Run(ctx) })
	front.Go(func() error { d.fillAndFollow(ctx); return nil })
	front.Go(func() error { d.countActive(ctx); return nil })
	front.Go(func() error { d.live.run(ctx); return nil })
	front.Go(func() error { onHangup(ctx, d.reload); return nil })
	if d.http != nil {
		handler := api.NewHandler(api.Options{Registry: d.metrics.Registry(), Ready: d.ready})
		front.Go(func() error { d.serveHTTP(ctx, handler); return nil })
	}
	d.logger.Info("serving", "auth", joined(d.server.Addresses(radiusd.AuthPort)), "acct", joined(d.server.Addresses(radiusd.AcctPort)))
	err := front.Wait()
	release()
	if late := writers.Wait(); err == nil {
		err = late
	}
	d.cache.Close()
	d.logger.Info("stopped")
	return err
}

// serveHTTP serves until ctx ends. Its failure is no reason to leave subscribers
// without an answer.
func (d *daemon) serveHTTP(ctx context.Context, handler http.Handler) {
	if err := api.Serve(ctx, d.http, handler, d.logger.Logger); err != nil {
		d.logger.Error("metrics and health are not served any more", "error", err.Error())
	}
}

// retryInterval is how long the daemon waits before it asks an unwilling store
// again.
const retryInterval = time.Second

// fillAndFollow loads all subscribers into memory and then follows every change.
// Until it is through, requests are answered from the store one by one.
func (d *daemon) fillAndFollow(ctx context.Context) {
	for began := time.Now(); ctx.Err() == nil; {
		err := d.cache.Warm(ctx)
		if err == nil {
			d.warm.Store(true)
			d.logger.Info("all subscribers are in memory", "keys", d.cache.Stats().Keys, "took", time.Since(began).String())
			break
		}
		if ctx.Err() == nil {
			d.logger.Warn("subscribers can't be loaded yet", "error", err.Error())
			wait(ctx, retryInterval)
		}
	}
	_ = d.cache.Follow(ctx) // ends only with ctx
}

func wait(ctx context.Context, duration time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(duration):
	}
}

// mostAuditLines is how many changes that come at once are logged one by one: an
// import must not push everything else out of the log. The audit trail in the
// store has them all.
const mostAuditLines = 100

// changed is told of every committed write, by whatever process.
func (d *daemon) changed(ctx context.Context, entries []linegate.AuditEntry) {
	d.live.changed()
	reload := false
	for i := range entries {
		if i < mostAuditLines {
			telemetry.Audit(ctx, d.logger.Logger, &entries[i])
		}
		reload = reload || entries[i].Kind == linegate.AuditNAS
	}
	if more := len(entries) - mostAuditLines; more > 0 {
		d.logger.Info("more changes at once than are logged: `linegate profile audit NAME` shows them",
			"not_logged", more, "actor", entries[0].Actor, "revision", entries[len(entries)-1].Revision)
	}
	for reload && ctx.Err() == nil {
		err := d.loadNASes(ctx)
		if err == nil {
			return
		}
		d.logger.Warn("NAS can't be loaded yet: the old ones stay", "error", err.Error())
		wait(ctx, retryInterval)
	}
}

func (d *daemon) loadNASes(ctx context.Context) error {
	nases, err := d.engine.NASes(ctx, "")
	if err != nil {
		return fmt.Errorf("load nas: %w", err)
	}
	for _, problem := range d.server.SetNASes(nases) {
		d.logger.Error("a NAS is not served", "error", problem.Error())
	}
	d.live.sender.SetNASes(nases) // the same problems again
	d.metrics.SetNASes(nases)
	return nil
}

// countInterval is how old the gauge of active subscribers may be.
const countInterval = 10 * time.Second

// countActive keeps the gauges that come from the store. The store is up while it
// can be read and has taken the last accounting.
func (d *daemon) countActive(ctx context.Context) {
	for ctx.Err() == nil {
		counts, err := d.engine.ActiveByVLAN(ctx)
		d.metrics.SetStoreUp(err == nil && d.commits.failure() == nil)
		if err == nil {
			active := make([]telemetry.VLANCount, len(counts))
			for i, count := range counts {
				active[i] = telemetry.VLANCount(count)
			}
			d.metrics.SetActiveByVLAN(active)
		}
		wait(ctx, countInterval)
	}
}

// ready is what /readyz reports.
func (d *daemon) ready(ctx context.Context) []api.Check {
	_, err := d.engine.Revision(ctx)
	if err == nil {
		err = d.commits.failure()
	}
	storeCheck := api.Check{Name: "store", OK: err == nil}
	if err != nil {
		storeCheck.Detail = err.Error()
	}
	cacheCheck := api.Check{Name: "cache", OK: d.warm.Load()}
	if !cacheCheck.OK {
		cacheCheck.Detail = "subscribers are still being loaded"
	}
	return []api.Check{{Name: "listeners", OK: true}, storeCheck, cacheCheck}
}

// reload reads the configuration again and takes over what can change while
// running. A bad one leaves everything as it is.
func (d *daemon) reload() {
	fresh, err := config.Load(d.cfg.File)
	if err != nil {
		d.logger.Error("reload: the configuration stays as it was", "error", err.Error())
		return
	}
	d.level.Set(fresh.Log.Level)
	d.server.SetSettings(fresh.Policy)
	d.server.LogEveryValidation(fresh.Log.Option82Validation == config.LogAllChecks)

	applied := d.cfg
	applied.Log.Level, applied.Policy, applied.Log.Option82Validation = fresh.Log.Level, fresh.Policy, fresh.Log.Option82Validation
	d.cfg = applied
	if !reflect.DeepEqual(applied, fresh) {
		d.logger.Warn("reload: log level, log.option82_validation and policy are taken over; other changed keys need a restart")
		return
	}
	d.logger.Info("reload: the configuration is taken over")
}

// watchedRecorder measures each group commit of accounting, and knows whether the
// last one failed: a full disk can still be read.
type watchedRecorder struct {
	ledger.Recorder
	metrics *telemetry.Metrics
	failed  atomic.Pointer[error]
}

func (r *watchedRecorder) RecordAccounting(ctx context.Context, events []linegate.AccountingEvent) error {
	began := time.Now()
	err := r.Recorder.RecordAccounting(ctx, events)
	r.metrics.AccountingCommit(time.Since(began))
	r.failed.Store(&err)
	return err
}

// failure is why the last commit failed; nil when it did not.
func (r *watchedRecorder) failure() error {
	if err := r.failed.Load(); err != nil && *err != nil {
		return fmt.Errorf("last accounting commit: %w", *err)
	}
	return nil
}
