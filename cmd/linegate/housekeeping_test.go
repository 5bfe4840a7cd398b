package main

import (
	"context"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"linegate"
	"linegate/cmd/linegate/config"
	"linegate/store"
	"linegate/telemetry"
)

// keeping is a housekeeper over an engine, whose log goes to keep.log.
func keeping(t *testing.T, engine store.Engine) (h *housekeeper, logged func() string) {
	logger, err := telemetry.NewLogger(telemetry.LogOptions{File: "keep.log"})
	require.NoError(t, err)
	h = &housekeeper{engine: engine, metrics: telemetry.NewMetrics(), logger: logger, staleIntervals: 3,
		retention: config.Retention{Events: 24 * time.Hour}}
	return h, func() string {
		require.NoError(t, logger.Close())
		text, err := os.ReadFile("keep.log")
		require.NoError(t, err)
		return string(text)
	}
}

func (h *housekeeper) counted(t *testing.T, name string) (total float64) {
	t.Helper()
	families, err := h.metrics.Registry().Gather()
	require.NoError(t, err)
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			if family.GetName() == name {
				total += metric.GetCounter().GetValue()
			}
		}
	}
	return total
}

// silentSession is the Start of a session that is to report every five minutes.
func silentSession(at time.Time) linegate.AccountingEvent {
	return linegate.AccountingEvent{
		NAS:    linegate.NASKey{Tenant: "isp", Name: "bng1", Address: netip.MustParseAddr("192.0.2.1")},
		Status: linegate.AcctStart, AcctSessionID: "s1", At: at, ReceivedAt: at, InterimInterval: 300,
	}
}

func TestTheHousekeeperClosesSilentSessionsAndDropsOldRecords(t *testing.T) {
	seeded(t)
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	within(t, func(engine store.Engine) {
		require.NoError(t, engine.RecordAccounting(t.Context(), []linegate.AccountingEvent{silentSession(now)}))
		h, logged := keeping(t, engine)
		h.markStale(t.Context(), now.Add(15*time.Minute))
		assert.Zero(t, h.counted(t, "radius_sessions_stale_total"))
		h.markStale(t.Context(), now.Add(16*time.Minute))
		assert.EqualValues(t, 1, h.counted(t, "radius_sessions_stale_total"))

		h.retain(t.Context(), now.Add(23*time.Hour))
		assert.Zero(t, h.counted(t, "radius_retention_dropped_total"))
		h.retain(t.Context(), now.Add(25*time.Hour))
		assert.EqualValues(t, 1, h.counted(t, "radius_retention_dropped_total"), "the event; the session is kept for ever")
		events, err := engine.CountAccounting(t.Context())
		require.NoError(t, err)
		assert.Zero(t, events)
		text := logged()
		assert.Contains(t, text, `"sessions":1,"intervals":3`)
		assert.Contains(t, text, `"accounting_events":1,"sessions":0`)
	})
}

func TestTheHousekeeperSaysWhyItCanNot(t *testing.T) {
	seeded(t)
	within(t, func(engine store.Engine) {
		require.NoError(t, engine.Close())
		h, logged := keeping(t, engine)
		h.markStale(t.Context(), time.Now())
		h.retain(t.Context(), time.Now())
		text := logged()
		assert.Contains(t, text, "silent sessions can't be closed now")
		assert.Contains(t, text, "old records can't be dropped now")
	})
}

func TestTheHousekeeperEndsWithItsContext(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	h := &housekeeper{grace: time.Hour, staleIntervals: 3}
	h.keepSessionsTrue(ended)
	h.dropOldRecords(ended)
	h.staleIntervals = 0
	h.keepSessionsTrue(t.Context()) // off: it does not even wait
}

func TestASilentSessionGetsItsTimeAfterTheServerComesUp(t *testing.T) {
	cfg, err := config.Load("")
	require.NoError(t, err)
	assert.Equal(t, 30*time.Minute, newHousekeeper(&daemon{cfg: cfg}).grace, "three of the default intervals")
	cfg.Policy.AcctInterimInterval = 0
	assert.Equal(t, time.Minute, newHousekeeper(&daemon{cfg: cfg}).grace)
}

func TestAServerDropsWhatIsTooOldWhenItComesUp(t *testing.T) {
	s := startServer(t)
	s.radclient(s.acct, "acct", `Acct-Status-Type=Stop,Acct-Session-Id=old,User-Name=alice,Acct-Delay-Time=172800,`+aliceLine)
	s.radclient(s.acct, "acct", `Acct-Status-Type=Stop,Acct-Session-Id=young,User-Name=alice,`+aliceLine)
	assert.Contains(t, s.cli("session", "list"), "old")
	s.stop()
	s.env = append(s.env, "LINEGATE_RETENTION_SESSIONS=1d", "LINEGATE_RETENTION_EVENTS=36h")
	s.run()
	s.log.await(s, "old records are dropped")
	left := s.cli("session", "list")
	assert.NotContains(t, left, "old")
	assert.Contains(t, left, "young")
	_, metrics := s.get("/metrics")
	assert.Contains(t, metrics, `radius_retention_dropped_total{kind="sessions"} 1`)
	assert.Contains(t, metrics, `radius_retention_dropped_total{kind="events"} 1`)
}
