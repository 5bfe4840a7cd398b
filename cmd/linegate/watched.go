package main

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"linegate"
	"linegate/store/ledger"
	"linegate/telemetry"
)

// watchedRecorder measures each group commit of accounting, and knows whether the
// last one failed: a full disk can still be read.
type watchedRecorder struct {
	ledger.Recorder
	usable  *atomic.Bool
	metrics *telemetry.Metrics
	failed  atomic.Pointer[error]
}

func (r *watchedRecorder) RecordAccounting(ctx context.Context, events []linegate.AccountingEvent) error {
	if !r.usable.Load() {
		return fmt.Errorf("store is not checked yet: %w", linegate.ErrUnavailable)
	}
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
