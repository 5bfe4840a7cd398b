package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"linegate"
	"linegate/cmd/linegate/config"
	"linegate/coa"
	"linegate/provisioning"
	"linegate/radiusd"
	"linegate/store"
	"linegate/telemetry"
)

// liveChanges is all of a server that changes live sessions: the sender, the relay
// for other systems in front of it, and the pushes of tenants that want them.
type liveChanges struct {
	engine   store.Engine
	logger   *telemetry.Logger
	metrics  *telemetry.Metrics
	sender   *coa.Sender
	relay    *coa.Relay
	sockets  []*net.UDPConn
	settings atomic.Pointer[linegate.Settings] // reload replaces them
	pushed   int64                             // the revision up to which changes were looked at
	wake     chan struct{}                     // holds one: the feed has something new
}

// newLiveChanges opens the relay's sockets. away is what firstLook found: the store is
// not asked then.
func newLiveChanges(ctx context.Context, cfg config.Config, engine store.Engine, away error, logger *telemetry.Logger, metrics *telemetry.Metrics) (*liveChanges, error) {
	l := &liveChanges{engine: engine, logger: logger, metrics: metrics, wake: make(chan struct{}, 1)}
	l.settings.Store(&cfg.Policy)
	options, err := coaOptions(cfg)
	if err != nil {
		return nil, err
	}
	options.Stray = metrics.StrayAnswer
	options.Done = func(report coa.Report) { l.done(ctx, report) }
	l.sender = coa.New(options)
	if away == nil {
		l.pushed, away = engine.Revision(ctx)
	}
	if errors.Is(away, linegate.ErrUnavailable) {
		l.pushed = notLooked
	} else if away != nil {
		return nil, away
	}
	clients, err := relayClients(ctx, cfg.CoA.Clients, engine, away)
	if err != nil {
		return nil, err
	}
	if len(cfg.Listen.CoA) > 0 && len(clients) == 0 {
		logger.Warn("listen.coa is set, but coa.clients names nobody: every request there is dropped")
	}
	l.relay = coa.NewRelay(coa.RelayOptions{
		Clients: clients, Sessions: sessionTable{engine}, Changer: l.sender, PEN: cfg.VendorPEN,
		ReplayWindow: cfg.CoA.ReplayWindow, Pending: cfg.CoA.Pending,
		ReadControl: radiusd.ReadControl,
		Dropped:     l.dropped(ctx), Answered: l.answered(ctx), Lost: metrics.RelayLost,
	})
	metrics.RegisterQueue("coa", l.relay.Waiting)
	for _, address := range cfg.Listen.CoA {
		socket, err := radiusd.ListenAlone(ctx, address)
		if err != nil {
			l.close()
			return nil, fmt.Errorf("listen for coa: %w", err)
		}
		l.sockets = append(l.sockets, socket)
	}
	return l, nil
}

// relayClients reads the secrets of the configured clients, whose tenants have to
// be there; while the store is away a wrong one shows in that nothing is found.
func relayClients(ctx context.Context, configured []config.CoAClient, engine store.Engine, away error) (_ []coa.Client, err error) {
	if len(configured) == 0 {
		return nil, nil
	}
	var tenants []string
	if away == nil {
		tenants, away = tenantNames(ctx, engine)
	}
	if away != nil && !errors.Is(away, linegate.ErrUnavailable) {
		return nil, away
	}
	clients := make([]coa.Client, len(configured))
	for i, client := range configured {
		if away == nil && !slices.Contains(tenants, client.Tenant) {
			return nil, fmt.Errorf("coa.clients: %s: tenant %q: %w", client.Address, client.Tenant, linegate.ErrNotFound)
		}
		secret := client.Secret
		if client.SecretFile != "" {
			if secret, err = readSecret(nil, client.SecretFile); err != nil {
				return nil, fmt.Errorf("coa.clients: %s: secret_file: %w", client.Address, err)
			}
		}
		clients[i] = coa.Client{Address: client.Address, Tenant: client.Tenant, Secret: secret}
	}
	return clients, nil
}

// done counts and tells a finished change.
func (l *liveChanges) done(ctx context.Context, report coa.Report) {
	for _, change := range report.Changes {
		l.metrics.CoAChange(report.Session.NAS.Tenant, change.Kind, report.Outcome.Result)
	}
	l.metrics.CoADone(report.Outcome.Result, report.Took)
	telemetry.CoAChange(ctx, l.logger.Logger, report.Session, report.Kinds(), &report.Outcome, report.Took)
}

// dropped counts a request that got no answer, and now and then logs one.
func (l *liveChanges) dropped(ctx context.Context) func(linegate.RelayDrop, netip.AddrPort, error) {
	drops := telemetry.NewDropLog(l.logger.Logger, time.Now)
	return func(reason linegate.RelayDrop, from netip.AddrPort, cause error) {
		l.metrics.RelayDrop(reason)
		drops.Dropped(ctx, telemetry.Drop(reason), from, nil, cause)
	}
}

func (l *liveChanges) answered(ctx context.Context) func(coa.Answer) {
	return func(answer coa.Answer) {
		l.logger.DebugContext(ctx, "answered a request of another system", "source", answer.From.String(), "tenant_id", answer.Tenant,
			"answer", answer.Code.String(), "cause", answer.Cause.String(), "repeated", answer.Repeated)
	}
}

// addresses returns what the relay listens on.
func (l *liveChanges) addresses() []netip.AddrPort {
	addresses := make([]netip.AddrPort, len(l.sockets))
	for i, socket := range l.sockets {
		addresses[i] = socket.LocalAddr().(*net.UDPAddr).AddrPort()
	}
	return addresses
}

// changed is told that the feed has something new.
func (l *liveChanges) changed() {
	select {
	case l.wake <- struct{}{}:
	default: // told already
	}
}

// run serves and pushes until ctx ends. The sender stays for who else has it.
func (l *liveChanges) run(ctx context.Context) {
	defer l.closeSockets()
	var both sync.WaitGroup
	both.Go(func() { l.relay.Serve(ctx, l.sockets) })
	both.Go(func() { l.push(ctx) })
	both.Wait()
}

func (l *liveChanges) close() {
	l.closeSockets()
	l.sender.Close()
}

func (l *liveChanges) closeSockets() {
	for _, socket := range l.sockets {
		_ = socket.Close()
	}
}

// push follows the feed for the tenants that want their changes pushed.
func (l *liveChanges) push(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.wake:
		}
		for again := true; again && ctx.Err() == nil; {
			var err error
			if again, err = l.pushPage(ctx); err != nil && ctx.Err() == nil {
				l.logger.Warn("changes can't be pushed yet", "error", err.Error())
				wait(ctx, retryInterval)
				again = true
			}
		}
	}
}

// notLooked stands for the revision while the store has been away from the start.
// What changed meanwhile is not pushed.
const notLooked = -1

// pushPage pushes the next changes of the feed; more tells that there were some. Where
// no tenant wants that, it only moves on to the newest.
func (l *liveChanges) pushPage(ctx context.Context) (more bool, err error) {
	newest, err := l.engine.Revision(ctx) // before the tenants: what comes later is looked at later
	if err != nil {
		return false, err
	}
	pushing, err := l.pushing(ctx)
	if err != nil {
		return false, err
	}
	if l.pushed == notLooked || len(pushing) == 0 {
		l.pushed = newest
		return false, nil
	}
	// An order tells the sessions itself: see orderChanges.
	wanted := func(entry *linegate.AuditEntry) bool {
		return pushing[entry.Tenant] && !provisioning.ByOrder(entry.Actor)
	}
	from := l.pushed
	p := &pusher{engine: l.engine, settings: *l.settings.Load()}
	orders, newest, err := p.since(ctx, from, wanted)
	l.pushed = newest
	if len(orders) > 0 {
		tally, _ := (&coa.Mass{Changer: l.sender}).Run(ctx, orders) // without a journal nothing fails
		for _, problem := range tally.Problems {
			l.logger.Warn("changes were not pushed to live sessions", "left", tally.Left, "problem", problem)
		}
	}
	return newest > from, err
}

// pushing returns the tenants that want their changes pushed.
func (l *liveChanges) pushing(ctx context.Context) (map[string]bool, error) {
	tenants, err := l.engine.Tenants(ctx)
	if err != nil {
		return nil, err
	}
	pushing := map[string]bool{}
	for _, tenant := range tenants {
		if tenant.PushChanges {
			pushing[tenant.Name] = true
		}
	}
	return pushing, nil
}
