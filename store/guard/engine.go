package guard

import (
	"context"
	"fmt"
	"time"

	"linegate"
	"linegate/store"
)

// Lookup implements store.Engine.
func (e *Engine) Lookup(ctx context.Context, key linegate.Key) (linegate.Lookup, error) {
	return ask(ctx, e, e.bound, func(ctx context.Context) (linegate.Lookup, error) { return e.Engine.Lookup(ctx, key) })
}

// Feed implements store.Engine.
func (e *Engine) Feed(ctx context.Context, after int64, limit int) ([]linegate.AuditEntry, error) {
	return ask(ctx, e, e.bound, func(ctx context.Context) ([]linegate.AuditEntry, error) { return e.Engine.Feed(ctx, after, limit) })
}

// Revision implements store.Engine.
func (e *Engine) Revision(ctx context.Context) (int64, error) {
	return ask(ctx, e, e.bound, e.Engine.Revision)
}

// ID implements store.Engine.
func (e *Engine) ID(ctx context.Context) (string, error) { return ask(ctx, e, e.bound, e.Engine.ID) }

// Admit implements store.Engine.
func (e *Engine) Admit(ctx context.Context, admission linegate.Admission) (bool, error) {
	return ask(ctx, e, e.bound, func(ctx context.Context) (bool, error) { return e.Engine.Admit(ctx, admission) })
}

// NASes implements store.Engine.
func (e *Engine) NASes(ctx context.Context, tenant string) ([]linegate.NAS, error) {
	return ask(ctx, e, listBound, func(ctx context.Context) ([]linegate.NAS, error) { return e.Engine.NASes(ctx, tenant) })
}

// Tenants implements store.Engine.
func (e *Engine) Tenants(ctx context.Context) ([]linegate.Tenant, error) {
	return ask(ctx, e, listBound, e.Engine.Tenants)
}

// ActiveByVLAN implements store.Engine.
func (e *Engine) ActiveByVLAN(ctx context.Context) ([]store.VLANCount, error) {
	return ask(ctx, e, listBound, e.Engine.ActiveByVLAN)
}

// RecordValidations implements store.Engine.
func (e *Engine) RecordValidations(ctx context.Context, checks []store.ValidationRecord) error {
	return tell(ctx, e, listBound, func(ctx context.Context) error { return e.Engine.RecordValidations(ctx, checks) })
}

// LearnNAS implements store.Engine.
func (e *Engine) LearnNAS(ctx context.Context, tenant, name string, learned linegate.Tristate) error {
	return tell(ctx, e, listBound, func(ctx context.Context) error { return e.Engine.LearnNAS(ctx, tenant, name, learned) })
}

// EachSubscriber implements store.Engine. A list that falls silent is
// given up; one that goes on may take as long as it needs.
func (e *Engine) EachSubscriber(ctx context.Context, tenant string, fn func(*linegate.Subscriber) error) error {
	listened, giveUp := context.WithCancelCause(ctx)
	defer giveUp(nil)
	watchdog := time.AfterFunc(e.silence, func() {
		giveUp(fmt.Errorf("list of subscribers: silent for %s: %w", e.silence, linegate.ErrUnavailable))
	})
	defer watchdog.Stop()
	err := e.Engine.EachSubscriber(listened, tenant, func(subscriber *linegate.Subscriber) error {
		watchdog.Reset(e.silence)
		return fn(subscriber)
	})
	if err != nil && ctx.Err() == nil && listened.Err() != nil {
		return context.Cause(listened)
	}
	return err
}
