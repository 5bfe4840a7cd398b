package main

import (
	"context"
	"errors"
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
	commits := &watchedRecorder{Recorder: disk, metrics: telemetry.NewMetrics()}
	assert.NoError(t, commits.failure(), "nothing was tried yet")

	disk.err = errors.New("disk is full")
	assert.Error(t, commits.RecordAccounting(t.Context(), nil))
	assert.ErrorContains(t, commits.failure(), "disk is full")

	disk.err = nil
	assert.NoError(t, commits.RecordAccounting(t.Context(), nil))
	assert.NoError(t, commits.failure())
}
