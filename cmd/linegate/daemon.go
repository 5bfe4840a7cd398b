package main

import (
	"context"
	"errors"
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
	"linegate/store/guard"
	"linegate/store/ledger"
	"linegate/store/snapshot"
	"linegate/store/spool"
	"linegate/telemetry"
)

// daemon is everything that runs in a server process, wired together.
type daemon struct {
	cfg    config.Config // what runs now; reload replaces it
	logger *telemetry.Logger
	level  *slog.LevelVar

	engine     *guard.Engine
	sealer     *store.Sealer
	keeper     *snapshot.Keeper // of cfg.Snapshot; idle when that is empty
	cache      *cache.Cache
	ledger     *ledger.Ledger
	spool      *spool.Spool // nil: off
	bookkeeper *bookkeeper.Bookkeeper
	metrics    *telemetry.Metrics
	server     *radiusd.Server
	live       *liveChanges
	http       net.Listener  // nil: off
	usable     atomic.Bool   // the store was found to be one that this program can write to
	filled     chan struct{} // closed when memory holds every subscriber that it has room for
	restored   atomic.Bool   // memory was filled from a snapshot, and the store was not heard of since
	nasesKnown bool          // of whatever source; begin's, then fillAndFollow's
	commits    *watchedRecorder
	orders     *provisioner // nil: nothing is configured that orders could reach or come from
	api        *orderAPI    // nil: off
}

// newDaemon opens all sockets and knows all NAS, but does not serve yet. away is what
// firstLook found.
func newDaemon(ctx context.Context, cfg config.Config, engine store.Engine, sealer *store.Sealer, away error, logger *telemetry.Logger, level *slog.LevelVar) (*daemon, error) {
	d := &daemon{cfg: cfg, logger: logger, level: level, sealer: sealer, metrics: telemetry.NewMetrics(), filled: make(chan struct{})}
	d.usable.Store(away == nil)
	d.engine = guard.New(engine, guard.Options{OnChange: d.storeChanged})
	d.keeper = snapshot.NewKeeper(cfg.Snapshot, sealer, d.engine, snapshot.KeeperOptions{Logger: logger.Logger})
	var err error
	d.cache, err = cache.New(d.engine, cache.Options{
		MaxBytes: cfg.Cache.MaxBytes, NegativeTTL: cfg.Cache.NegativeTTL, FailStatic: cfg.Cache.FailStatic, Logger: logger.Logger,
		OnChange: func(entries []linegate.AuditEntry) { d.changed(ctx, entries) },
		OnReset:  func() { d.reloadNASes(ctx) },
	})
	if err != nil {
		return nil, err
	}
	d.commits = &watchedRecorder{Recorder: engine, usable: &d.usable, metrics: d.metrics}
	if err := d.newLedger(); err != nil {
		return nil, err
	}
	d.bookkeeper = bookkeeper.New(d.engine, bookkeeper.Options{Logger: logger.Logger})
	if d.server, err = d.newServer(ctx); err != nil {
		return nil, errors.Join(err, d.closeSpool())
	}
	if d.live, err = newLiveChanges(ctx, cfg, d.engine, away, logger, d.metrics); err != nil {
		return nil, errors.Join(err, d.closeSpool())
	}
	d.registerMetrics()
	if configured(cfg) {
		if d.orders, err = newProvisioner(ctx, d, engine); err != nil {
			return nil, errors.Join(err, d.closeSpool())
		}
	}
	if err := d.open(ctx, away); err != nil {
		d.live.close()
		return nil, errors.Join(err, d.closeSpool())
	}
	return d, nil
}

// newLedger makes the ledger, with the spool unless that is off.
func (d *daemon) newLedger() (err error) {
	options := ledger.Options{QueueSize: d.cfg.Accounting.Queue, Logger: d.logger.Logger}
	if folder := d.cfg.Accounting.Spool; folder != "" {
		d.spool, err = spool.Open(folder, spool.Options{MaxBytes: d.cfg.Accounting.SpoolMaxBytes, Logger: d.logger.Logger})
		if err != nil {
			return fmt.Errorf("accounting.spool: %w", err)
		}
		options.Spool = d.spool
	}
	d.ledger = ledger.New(d.commits, options)
	return nil
}

func (d *daemon) closeSpool() error {
	if d.spool == nil {
		return nil
	}
	return d.spool.Close()
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
		Admissions:        d.engine,
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

// open learns what there is to know before the first packet, and opens all sockets.
func (d *daemon) open(ctx context.Context, away error) error {
	if err := d.begin(ctx, away); err != nil {
		return err
	}
	if err := d.server.Listen(ctx); err != nil {
		return err
	}
	if err := d.openHTTP(ctx); err != nil {
		d.server.Close()
		return err
	}
	return nil
}

// openHTTP opens the addresses that are served over TCP.
func (d *daemon) openHTTP(ctx context.Context) (err error) {
	if d.api, err = openAPI(ctx, d.cfg.API); err != nil || d.cfg.Listen.HTTP == "" {
		return err
	}
	if d.http, err = new(net.ListenConfig).Listen(ctx, "tcp", d.cfg.Listen.HTTP); err != nil {
		return fmt.Errorf("listen for http: %w", err)
	}
	return nil
}

func (d *daemon) registerMetrics() {
	d.metrics.SetVersion(buildVersion())
	d.metrics.RegisterLog(d.logger.Dropped)
	d.metrics.RegisterReplyCaches(d.server.EvictedEarly)
	d.metrics.RegisterLedger(d.ledger.Depth)
	if d.spool != nil {
		d.metrics.RegisterSpool(d.spoolStats)
	}
	d.metrics.RegisterQueue("auth", d.server.Waiting)
	d.metrics.RegisterQueue("acct", d.ledger.Depth)
	d.metrics.RegisterStanding(d.standing)
	d.metrics.RegisterStore(func() bool { return !d.engine.Away() && d.commits.failure() == nil })
	d.metrics.RegisterCache(func() telemetry.CacheStats {
		stats := d.cache.Stats()
		return telemetry.CacheStats{
			Hits: stats.Hits + stats.NegativeHits + stats.FilteredUnknown, Misses: stats.Misses,
			Negative: stats.NegativeHits + stats.FilteredUnknown, Keys: int(stats.Keys),
		}
	})
}

func (d *daemon) spoolStats() telemetry.SpoolStats {
	stats := d.spool.Stats()
	return telemetry.SpoolStats{
		Bytes: stats.Bytes, MaxBytes: stats.MaxBytes, Events: stats.Events, Oldest: stats.Oldest,
		Spooled: stats.Appended, Replayed: stats.Released, SetAside: stats.SetAside,
		Damaged: stats.Damaged, Torn: stats.Torn,
	}
}

// run serves until ctx ends. What the server hands its work to ends after it, so
// that nothing under way is lost.
func (d *daemon) run(ctx context.Context) error {
	behind, release := context.WithCancel(context.WithoutCancel(ctx))
	defer release()
	var writers errgroup.Group
	writers.Go(func() error { return d.ledger.Run(behind) })
	writers.Go(func() error { return d.bookkeeper.Run(behind) })

	housekeeper := newHousekeeper(d)
	front, ctx := errgroup.WithContext(ctx) // a socket that fails ends the whole
	front.Go(func() error { return d.server.Run(ctx) })
	front.Go(func() error { d.fillAndFollow(ctx); return nil })
	front.Go(func() error { d.countActive(ctx); return nil })
	if d.cfg.Snapshot != "" {
		front.Go(func() error { d.keepSnapshot(ctx); return nil })
	}
	front.Go(func() error { housekeeper.keepSessionsTrue(ctx); return nil })
	front.Go(func() error { housekeeper.dropOldRecords(ctx); return nil })
	front.Go(func() error { d.live.run(ctx); return nil })
	front.Go(func() error { onHangup(ctx, d.reload); return nil })
	if d.orders != nil {
		front.Go(func() error { d.orders.run(ctx); return nil })
	}
	if d.api != nil {
		front.Go(func() error { d.serveAPI(ctx); return nil })
	}
	if d.http != nil {
		handler := api.NewHandler(api.Options{Registry: d.metrics.Registry(), Ready: d.ready})
		front.Go(func() error { d.serveHTTP(ctx, handler); return nil })
	}
	d.logger.Info("serving", "auth", joined(d.server.Addresses(radiusd.AuthPort)), "acct", joined(d.server.Addresses(radiusd.AcctPort)))
	err := front.Wait()
	d.live.close()
	release()
	if late := writers.Wait(); err == nil {
		err = late
	}
	d.cache.Close()
	d.logger.Info("stopped")
	return errors.Join(err, d.closeSpool())
}

// serveHTTP serves until ctx ends. Its failure is no reason to leave subscribers
// without an answer.
func (d *daemon) serveHTTP(ctx context.Context, handler http.Handler) {
	if err := api.Serve(ctx, d.http, handler, d.logger.Logger); err != nil {
		d.logger.Error("metrics and health are not served any more", "error", err.Error())
	}
}

// serveAPI is likewise.
func (d *daemon) serveAPI(ctx context.Context) {
	if err := d.api.serve(ctx, d.orders); err != nil {
		d.logger.Error("orders are not taken over HTTP any more", "error", err.Error())
	}
}

// retryInterval is how long the daemon waits before it asks an unwilling store
// again.
const retryInterval = time.Second

// tellFilled says how many subscribers memory took: those for whom there is no room
// are asked of the store, and unknown while that is away.
func (d *daemon) tellFilled(took time.Duration) {
	stats := d.cache.Stats()
	if stats.LeftOut == 0 {
		d.logger.Info("all subscribers are in memory", "keys", stats.Keys, "octets", stats.Octets, "took", took.String())
		return
	}
	d.logger.Warn("not all subscribers are in memory: those left out wait for the store, and get no answer while it is away; raise cache.max_bytes",
		"left_out", stats.LeftOut, "octets", stats.Octets, "max_bytes", d.cfg.Cache.MaxBytes, "took", took.String())
}

// fillAndFollow loads all subscribers into memory and then follows every change.
// Until it is through, requests are answered from the store one by one.
func (d *daemon) fillAndFollow(ctx context.Context) {
	if !d.restored.Load() {
		d.awaitStore(ctx)
	}
	for began := time.Now(); ctx.Err() == nil; {
		err := d.cache.Warm(ctx)
		if err == nil {
			close(d.filled)
			settleMemory()
			d.tellFilled(time.Since(began))
			break
		}
		if ctx.Err() == nil {
			d.logger.Warn("subscribers can't be loaded yet", "error", err.Error())
			wait(ctx, retryInterval)
		}
	}
	d.awaitStore(ctx)
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
	if reload {
		d.reloadNASes(ctx)
	}
	d.keeper.Changed()
}

func (d *daemon) loadNASes(ctx context.Context) error {
	nases, err := d.engine.NASes(ctx, "")
	if err != nil {
		return fmt.Errorf("load nas: %w", err)
	}
	d.useNASes(nases)
	return nil
}

func (d *daemon) useNASes(nases []linegate.NAS) {
	d.nasesKnown = true
	for _, problem := range d.server.SetNASes(nases) {
		d.logger.Error("a NAS is not served", "error", problem.Error())
	}
	d.live.sender.SetNASes(nases) // the same problems again
	d.metrics.SetNASes(nases)
}

// countInterval is how old the gauge of active subscribers may be.
const countInterval = 10 * time.Second

// countActive keeps the gauges that come from the store.
func (d *daemon) countActive(ctx context.Context) {
	for ctx.Err() == nil {
		counts, err := d.engine.ActiveByVLAN(ctx)
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
	storeCheck := api.Check{Name: "store", OK: err == nil, Spare: d.warm()}
	if err != nil {
		storeCheck.Detail = err.Error()
	}
	cacheCheck := api.Check{Name: "cache", OK: d.warm(), Detail: fmt.Sprintf("answers come from: %s", d.standing())}
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
	d.live.settings.Store(&fresh.Policy)
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
