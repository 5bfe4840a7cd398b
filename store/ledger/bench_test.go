package ledger_test

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"linegate"
	"linegate/store/ledger"
	"linegate/store/spool"
)

// BenchmarkSpooled is how many events a second are acknowledged while the store is
// away, with 4,096 senders that wait for their acknowledgement.
func BenchmarkSpooled(b *testing.B) {
	kept, err := spool.Open(filepath.Join(b.TempDir(), "spool"), spool.Options{MaxBytes: 1 << 40})
	require.NoError(b, err)
	defer func() { require.NoError(b, kept.Close()) }()
	away := &recorder{answer: func(context.Context, []string) error { return linegate.ErrUnavailable }}
	benchmarkLedger(b, ledger.New(away, ledger.Options{Spool: kept}))
}

// BenchmarkDirect is the same with a store that takes everything at once.
func BenchmarkDirect(b *testing.B) {
	kept, err := spool.Open(filepath.Join(b.TempDir(), "spool"), spool.Options{})
	require.NoError(b, err)
	defer func() { require.NoError(b, kept.Close()) }()
	there := &recorder{answer: func(context.Context, []string) error { return nil }}
	benchmarkLedger(b, ledger.New(there, ledger.Options{Spool: kept}))
}

func benchmarkLedger(b *testing.B, l *ledger.Ledger) {
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan error, 1)
	go func() { ended <- l.Run(ctx) }()
	window := make(chan struct{}, 4096)
	event := linegate.AccountingEvent{AcctSessionID: "session", UserName: "subscriber@isp.example"}
	done := func(err error) {
		if err != nil {
			b.Error(err)
		}
		<-window
	}
	b.ReportAllocs()
	for b.Loop() {
		window <- struct{}{}
		require.NoError(b, l.Record(event, done))
	}
	for range cap(window) { // until the last is acknowledged
		window <- struct{}{}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
	cancel()
	require.NoError(b, <-ended)
}
