package main

import (
	"encoding/csv"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"linegate/cmd/linegate/peers"
)

// acctReport is what a load of accounting reports.
type acctReport struct {
	Calls, Starts, Interims, Stops, Timeouts int
}

// bench runs a load on the server and reads its report.
func (s *instance) bench(args ...string) (report acctReport) {
	s.Helper()
	printed := s.cli(append([]string{"bench", "--output", "json"}, args...)...)
	require.NoError(s, json.Unmarshal([]byte(printed), &report), printed)
	return report
}

// What a load counts as acknowledged is what the store holds, record by record.
func TestBenchCountsWhatTheStoreHolds(t *testing.T) {
	s := startServer(t)
	subscribers := filepath.Join(s.folder, "subs.csv")
	require.NoError(t, os.WriteFile(subscribers, []byte(s.cli("bench", "subscribers", "--count", "40")), 0o600))
	s.cli("profile", "import", subscribers)

	list := filepath.Join(s.folder, "sessions.csv")
	scheduled := s.bench("acct", "--server", s.acct, "--subscribers", subscribers, "--tries", "10", "--list", list, "--prefix", "scheduled-",
		"--sessions", "60", "--interims", "2", "--over", "1s")
	assert.Equal(t, acctReport{Starts: 60, Interims: 120, Stops: 60}, scheduled)
	flooded := s.bench("acct", "--server", s.acct, "--subscribers", subscribers, "--tries", "10", "--prefix", "flood-", "--duration", "300ms")
	assert.Zero(t, flooded.Timeouts)
	called := s.bench("call", "--server", s.auth, "--acct-server", s.acct, "--subscribers", subscribers, "--tries", "10", "--prefix", "call-", "--duration", "300ms")
	assert.Equal(t, called.Calls, called.Stops)
	s.stop()

	events, sessions := s.stored()
	acknowledged := 0
	for _, report := range []acctReport{scheduled, flooded, called} {
		acknowledged += report.Starts + report.Interims + report.Stops
	}
	assert.Equal(t, acknowledged, events)
	assert.Len(t, sessions, scheduled.Starts+flooded.Starts+called.Starts)
	stopped := 0
	for _, session := range sessions {
		assert.NotEmpty(t, session.SubscriberID, session.AcctSessionID)
		if !session.Open() {
			stopped++
		}
	}
	assert.Equal(t, scheduled.Stops+flooded.Stops+called.Stops, stopped)

	file, err := os.Open(list)
	require.NoError(t, err)
	defer file.Close()
	rows, err := csv.NewReader(file).ReadAll()
	require.NoError(t, err)
	require.Len(t, rows, 61)
	for _, row := range rows[1:] {
		assert.EqualValues(t, 3*3_000_000_000, sessions[row[0]].OutputOctets, "the Stop's counter, beyond 32 bits, of %s", row[0])
	}
}

// The comparison runs, on what needs no other software.
func TestPeersComparesLinegateWithItself(t *testing.T) {
	path, err := binary()
	require.NoError(t, err)
	report, err := peers.Run(t.Context(), peers.Options{
		Linegate: path, Rows: []string{"echo", "reject", "memory", "preloaded", "flood", "overload", "start-sqlite"},
		Rounds: 1, Subscribers: 1000, Many: 3000, Each: time.Second, Progress: t.Output(),
	})
	require.NoError(t, err)
	require.Len(t, report.Results, 7)
	for _, result := range report.Results {
		assert.Empty(t, result.Failed, result.Name)
		assert.Positive(t, result.Ratio, result.Name)
		assert.NotEmpty(t, result.Target)
	}
}
