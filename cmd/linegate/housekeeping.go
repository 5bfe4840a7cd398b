package main

import (
	"context"
	"time"

	"linegate/cmd/linegate/config"
	"linegate/store"
	"linegate/telemetry"
)

// housekeeper closes sessions that fell silent and drops records that are too old.
type housekeeper struct {
	engine         store.Engine
	metrics        *telemetry.Metrics
	logger         *telemetry.Logger
	staleIntervals int           // 0: sessions never go stale
	grace          time.Duration // before the first look
	retention      config.Retention
}

// How often it looks for silent sessions, and for old records.
const (
	staleCheckInterval = time.Minute
	retentionInterval  = time.Hour
)

// newHousekeeper takes its settings from the daemon's configuration as it is now. A
// server that comes up has heard of no session for a while: they get as long to
// report as they have otherwise.
func newHousekeeper(d *daemon) *housekeeper {
	intervals := d.cfg.Accounting.StaleIntervals
	grace := time.Duration(intervals) * time.Duration(d.cfg.Policy.AcctInterimInterval) * time.Second
	return &housekeeper{
		engine: d.engine, metrics: d.metrics, logger: d.logger,
		staleIntervals: intervals, grace: max(grace, staleCheckInterval), retention: d.cfg.Retention,
	}
}

// keepSessionsTrue closes silent sessions until ctx ends.
func (h *housekeeper) keepSessionsTrue(ctx context.Context) {
	if h.staleIntervals == 0 {
		return
	}
	for wait(ctx, h.grace); ctx.Err() == nil; wait(ctx, staleCheckInterval) {
		h.markStale(ctx, time.Now())
	}
}

func (h *housekeeper) markStale(ctx context.Context, now time.Time) {
	marked, err := h.engine.MarkStale(ctx, now, h.staleIntervals)
	h.metrics.SessionsStale(marked)
	if marked > 0 {
		h.logger.Info("sessions count as over: nothing was heard of them", "sessions", marked, "intervals", h.staleIntervals)
	}
	if err != nil && ctx.Err() == nil {
		h.logger.Warn("silent sessions can't be closed now", "error", err.Error())
	}
}

// dropOldRecords drops what is older than it is to be kept, until ctx ends.
func (h *housekeeper) dropOldRecords(ctx context.Context) {
	for ; ctx.Err() == nil; wait(ctx, retentionInterval) {
		h.retain(ctx, time.Now())
	}
}

func (h *housekeeper) retain(ctx context.Context, now time.Time) {
	dropped, err := h.engine.Retain(ctx, store.Retention{
		EventsBefore: before(now, h.retention.Events), SessionsBefore: before(now, h.retention.Sessions),
	})
	h.metrics.Retained(dropped.Events, dropped.Sessions)
	if dropped != (store.Retained{}) {
		h.logger.Info("old records are dropped", "accounting_events", dropped.Events, "sessions", dropped.Sessions)
	}
	if err != nil && ctx.Err() == nil {
		h.logger.Warn("old records can't be dropped now", "error", err.Error())
	}
}

// before is the moment that lies so far back; the zero time when all is kept.
func before(now time.Time, kept time.Duration) time.Time {
	if kept == 0 {
		return time.Time{}
	}
	return now.Add(-kept)
}
