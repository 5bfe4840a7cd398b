package spool

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"linegate"
)

// BenchmarkAppend is one full batch of the ledger with all fields set: encode,
// write, fsync.
func BenchmarkAppend(b *testing.B) {
	s, err := Open(filepath.Join(b.TempDir(), "spool"), Options{MaxBytes: 1 << 40})
	require.NoError(b, err)
	defer func() { require.NoError(b, s.Close()) }()
	batch := make([]linegate.AccountingEvent, 512)
	for i := range batch {
		batch[i] = filled(b)
	}
	b.ReportAllocs()
	for b.Loop() {
		require.NoError(b, s.Append(batch))
	}
	b.SetBytes(s.Stats().Bytes / int64(s.Stats().Appended) * 512)
	b.ReportMetric(512*float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkReplay reads and releases what waits, as the ledger does.
func BenchmarkReplay(b *testing.B) {
	s, err := Open(filepath.Join(b.TempDir(), "spool"), Options{MaxBytes: 1 << 40})
	require.NoError(b, err)
	defer func() { require.NoError(b, s.Close()) }()
	batch := make([]linegate.AccountingEvent, 2048)
	for i := range batch {
		batch[i] = filled(b)
	}
	released := 0
	for b.Loop() {
		b.StopTimer()
		require.NoError(b, s.Append(batch))
		b.StartTimer()
		events, err := s.Read(len(batch))
		require.NoError(b, err)
		require.NoError(b, s.Release(len(events)))
		released += len(events)
	}
	b.ReportMetric(float64(released)/b.Elapsed().Seconds(), "events/s")
}
