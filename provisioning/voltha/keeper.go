package voltha

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"linegate"
)

// Keeper keeps services on their lines: a core that restarts forgets all flows, an
// ONU that restarts loses its own, and nobody tells. It compares what is wanted
// with what is there and has repaired what differs.
type Keeper struct {
	Client Client
	// Wanted lists all services that are to be in force.
	Wanted func(context.Context) ([]linegate.ONUService, error)
	// Repair makes a service that is not as wanted. It is a field because whoever
	// runs workflows must see to it that none of them works on the same service: then
	// it is linegate.ErrConflict, and the next sweep looks again.
	Repair func(context.Context, linegate.ONUService) error
	Every  time.Duration // default a minute
	Logger *slog.Logger
	After  func(time.Duration) <-chan time.Time // default time.After
}

// Sweep is what one comparison came to.
type Sweep struct {
	Checked  int
	Repaired int
	Failed   int // could not be repaired, and is tried again with the next sweep
	Left     int // somebody else works on it
}

// Run sweeps until the context ends.
func (k *Keeper) Run(ctx context.Context) {
	after, every := k.After, k.Every
	if after == nil {
		after = time.After
	}
	setDefault(&every, time.Minute)
	for {
		select {
		case <-after(every):
		case <-ctx.Done():
			return
		}
		if _, err := k.Sweep(ctx); err != nil && ctx.Err() == nil {
			k.Logger.LogAttrs(ctx, slog.LevelError, "services on ONUs could not be checked",
				slog.String("event", EventONURepairError), slog.String("error", err.Error()))
		}
	}
}

// Sweep compares once. A service whose ONU is off is left alone until it is back.
func (k *Keeper) Sweep(ctx context.Context) (Sweep, error) {
	wanted, err := k.Wanted(ctx)
	if err != nil {
		return Sweep{}, err
	}
	results, err := k.Client.Check(ctx, wanted)
	if err != nil {
		return Sweep{}, err
	}
	sweep := Sweep{Checked: len(wanted)}
	for i, result := range results {
		if result.Installed || result.Absent || ctx.Err() != nil {
			continue
		}
		switch err := k.repair(ctx, wanted[i], result.ONUResult); {
		case err == nil:
			sweep.Repaired++
		case errors.Is(err, linegate.ErrConflict):
			sweep.Left++
		default:
			sweep.Failed++
		}
	}
	return sweep, ctx.Err()
}

func (k *Keeper) repair(ctx context.Context, service linegate.ONUService, found linegate.ONUResult) error {
	attributes := []slog.Attr{
		slog.String("service_id", service.ID), slog.String("serial_number", service.Serial), slog.String("found", found.Detail),
	}
	err := k.Repair(ctx, service)
	switch {
	case err == nil:
		k.Logger.LogAttrs(ctx, slog.LevelWarn, "a service was not in force on its ONU and was repaired",
			append(attributes, slog.String("event", EventONURepaired))...)
	case !errors.Is(err, linegate.ErrConflict):
		k.Logger.LogAttrs(ctx, slog.LevelError, "a service is not in force on its ONU and could not be repaired",
			append(attributes, slog.String("event", EventONURepairError), slog.String("error", err.Error()))...)
	}
	return err
}
