package provisioning

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/dbos-inc/dbos-transact-golang/dbos"
	_ "github.com/dbos-inc/dbos-transact-golang/dbos/driver/sqlite" // lets dbos keep its tables in SQLite

	"linegate"
)

// Options are what an Engine needs. Addresses, ONU, CPE and Changes are optional:
// what nobody is there for is left out, and orders that need it are refused.
type Options struct {
	Database  string // sqlite:PATH or postgres://...: where workflows are recorded
	Profiles  Profiles
	Book      Book
	Addresses Addresses
	ONU       ONU
	CPE       CPE
	Changes   Changes
	Sealer    Sealer
	Flags     func(tenant string) Flags // nil: DefaultFlags
	Timing    Timing
	Observer  Observer         // nil: nobody is told
	Log       *slog.Logger     // nil: nothing is logged
	Now       func() time.Time // nil: time.Now
	// Parallel bounds how many steps are under way at a time; 0: 8.
	Parallel int
}

const (
	applicationName = "linegate"
	// applicationVersion and executor never change, so that any linegate takes up
	// what another left. Only one process at a time may have an Engine on a store:
	// the caller sees to that.
	applicationVersion = "1"
	executor           = "provisioning"
	orderQueue         = "orders"
	shutdownTimeout    = 30 * time.Second
	// recoveries is how often a workflow may be taken up: one that waits for weeks is
	// taken up with every start of the process.
	recoveries = 1_000_000
)

func (o Options) orDefault() Options {
	if o.Flags == nil {
		o.Flags = func(string) Flags { return DefaultFlags() }
	}
	if o.Observer == nil {
		o.Observer = unobserved{}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Parallel == 0 {
		o.Parallel = 8
	}
	o.Timing = o.Timing.orDefault()
	return o
}

// Engine carries orders out. It is safe for concurrent use.
type Engine struct {
	*Desk
	options Options
	dbos    dbos.Context
	slots   chan struct{}
}

// Open starts an engine, which takes up everything that a former one left. Close
// stops it.
func Open(ctx context.Context, options Options) (*Engine, error) {
	options = options.orDefault()
	runtime, err := dbos.NewContext(ctx, dbos.Config{
		AppName: applicationName, DatabaseURL: options.Database,
		ApplicationVersion: applicationVersion, ExecutorID: executor,
		Serializer: newSealing(options.Sealer), Logger: options.Log,
	})
	if err != nil {
		return nil, fmt.Errorf("workflows in %s: %w", options.Database, err)
	}
	e := &Engine{
		Desk: &Desk{client: runtime, sealing: newSealing(options.Sealer), book: options.Book}, options: options,
		dbos: runtime, slots: make(chan struct{}, options.Parallel),
	}
	if err := errors.Join(e.releaseKept(ctx), e.launch()); err != nil {
		return nil, errors.Join(fmt.Errorf("workflows in %s: %w", options.Database, err), e.Close())
	}
	return e, nil
}

func (e *Engine) launch() error {
	for kind, workflow := range map[linegate.OrderKind]dbos.Workflow[string, string]{
		linegate.OrderProvision:   e.provision,
		linegate.OrderSuspend:     e.suspend,
		linegate.OrderResume:      e.resume,
		linegate.OrderChange:      e.change,
		linegate.OrderDeprovision: e.deprovision,
	} {
		dbos.RegisterWorkflow(e.dbos, workflow, dbos.WithWorkflowName(string(kind)), dbos.WithMaxRecoveryAttempts(recoveries))
	}
	if _, err := dbos.RegisterQueue(e.dbos, orderQueue, dbos.WithQueueBasePollingInterval(e.options.Timing.Poll)); err != nil {
		return err
	}
	return dbos.Launch(e.dbos)
}

// Close stops the engine. Orders that are under way stop where they are, and go on
// with the next engine.
func (e *Engine) Close() error { return dbos.Shutdown(e.dbos, shutdownTimeout) }

// enter waits for one of the slots that bound how much is under way.
func (e *Engine) enter(ctx context.Context) (release func(), err error) {
	select {
	case e.slots <- struct{}{}:
		return func() { <-e.slots }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}
