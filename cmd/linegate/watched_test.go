package main

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"

	"linegate"
	"linegate/telemetry"
)

// fullDisk is a Recorder that fails while it is set.
type fullDisk struct{ err error }

func (d *fullDisk) RecordAccounting(context.Context, []linegate.AccountingEvent) error { return d.err }

func TestAFailingCommitShowsUntilOneWorks(t *testing.T) {
	disk := &fullDisk{}
	var usable atomic.Bool
	commits := &watchedRecorder{Recorder: disk, usable: &usable, metrics: telemetry.NewMetrics()}
	assert.ErrorIs(t, commits.RecordAccounting(t.Context(), nil), linegate.ErrUnavailable, "nothing is written before the schema was looked at")
	usable.Store(true)
	assert.NoError(t, commits.failure(), "nothing was tried yet")

	disk.err = errors.New("disk is full")
	assert.Error(t, commits.RecordAccounting(t.Context(), nil))
	assert.ErrorContains(t, commits.failure(), "disk is full")

	disk.err = nil
	assert.NoError(t, commits.RecordAccounting(t.Context(), nil))
	assert.NoError(t, commits.failure())
}
