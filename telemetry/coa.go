package telemetry

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"linegate"
)

// coaMetrics count changes of live sessions and the requests of other systems.
type coaMetrics struct {
	changes     *prometheus.CounterVec
	vlanChanges *prometheus.CounterVec
	durations   map[linegate.ChangeResult]prometheus.Observer
	strays      tally[linegate.StrayAnswer]
	relayDrops  tally[linegate.RelayDrop]
}

func newCoAMetrics(m *Metrics) coaMetrics {
	durations := m.histogram("radius_coa_duration_seconds",
		"Time from asking for a change of a live session to knowing its outcome, retransmissions included, in seconds.", coaBuckets(), "outcome")
	c := coaMetrics{
		changes: m.counter("radius_coa_total",
			"Changes of live sessions by what was asked for and what became of it.", "tenant_id", "kind", "outcome"),
		vlanChanges: m.counter("radius_vlan_changes_total",
			"Changes of the VLAN of live sessions, by whether the NAS acknowledged them.", "tenant_id", "success"),
		durations: map[linegate.ChangeResult]prometheus.Observer{},
		strays: newTally(m.counter("radius_coa_stray_answers_total",
			"Packets that came to a source port of changes and were not taken for the answer of a NAS, by the reason why.", "reason"), linegate.StrayAnswers()),
		relayDrops: newTally(m.counter("radius_coa_relay_drops_total",
			"CoA and Disconnect requests of other systems that got no answer, by the reason why.", "reason"), linegate.RelayDrops()),
	}
	for _, result := range linegate.ChangeResults() {
		c.durations[result] = durations.WithLabelValues(string(result))
	}
	return c
}

// coaBuckets spread from a NAS nearby to one that is given up.
func coaBuckets() []float64 {
	return inSeconds(
		time.Millisecond, 2500*time.Microsecond, 5*time.Millisecond, 10*time.Millisecond, 25*time.Millisecond, 50*time.Millisecond,
		100*time.Millisecond, 250*time.Millisecond, 500*time.Millisecond, time.Second, 2500*time.Millisecond, 5*time.Second,
		10*time.Second, 30*time.Second,
	)
}

// StrayAnswer counts a packet that was no answer.
func (m *Metrics) StrayAnswer(reason linegate.StrayAnswer) { m.coa.strays.add(reason) }

// RelayDrop counts a request of another system that gets no answer.
func (m *Metrics) RelayDrop(reason linegate.RelayDrop) { m.coa.relayDrops.add(reason) }

// RelayLost counts requests of other systems that the kernel dropped.
func (m *Metrics) RelayLost(packets uint32) {
	m.coa.relayDrops.of(linegate.RelaySocketFull).Add(float64(packets))
}

// CoAChange counts a change of a live session.
func (m *Metrics) CoAChange(tenant string, kind linegate.ChangeKind, result linegate.ChangeResult) {
	m.Tenant(tenant).change(kind, result)
}

// CoADone counts how long the request of one or several changes took.
func (m *Metrics) CoADone(result linegate.ChangeResult, took time.Duration) {
	if observer, listed := m.coa.durations[result]; listed {
		observer.Observe(took.Seconds())
	}
}

// changeLabels are the label values of one series of changes.
type changeLabels struct {
	kind   linegate.ChangeKind
	result linegate.ChangeResult
}

// resolveChanges makes the tenant's series.
func (c *coaMetrics) resolveChanges(t *TenantMetrics, name string) {
	for _, kind := range linegate.ChangeKinds() {
		for _, result := range linegate.ChangeResults() {
			t.changes = append(t.changes, tallied[changeLabels]{changeLabels{kind, result},
				c.changes.WithLabelValues(name, string(kind), string(result))})
		}
	}
	t.vlanChanged, t.vlanUnchanged = c.vlanChanges.WithLabelValues(name, "true"), c.vlanChanges.WithLabelValues(name, "false")
}

func (t *TenantMetrics) change(kind linegate.ChangeKind, result linegate.ChangeResult) {
	t.changes.add(changeLabels{kind, result})
	switch {
	case kind != linegate.ChangeVLAN:
	case result == linegate.ChangeAcked:
		t.vlanChanged.Inc()
	default:
		t.vlanUnchanged.Inc()
	}
}

// CoAChange writes what became of changes of a live session; kinds names them. What the NAS refused,
// or never answered, is a warning.
func CoAChange(ctx context.Context, logger *slog.Logger, session *linegate.Session, kinds string, outcome *linegate.ChangeOutcome, took time.Duration) {
	level := slog.LevelInfo
	if !outcome.Result.Final() {
		level = slog.LevelWarn
	}
	attrs := []slog.Attr{
		slog.String("tenant_id", session.NAS.Tenant),
		slog.String("nas", session.NAS.Name),
		slog.String("nas_address", session.NAS.Address.String()),
		slog.String("username", session.UserName),
		slog.String("session_id", session.ID),
		slog.String("acct_session_id", session.AcctSessionID),
		slog.String("kind", kinds),
		slog.String("outcome", string(outcome.Result)),
		slog.String("took", took.Round(time.Microsecond).String()),
	}
	if outcome.Cause != 0 {
		attrs = append(attrs, slog.Uint64("error_cause", uint64(outcome.Cause)), slog.String("cause", outcome.Cause.String()))
	}
	if outcome.Disconnected {
		attrs = append(attrs, slog.Bool("disconnected", true))
	}
	if outcome.Detail != "" {
		attrs = append(attrs, slog.String("detail", outcome.Detail))
	}
	log(ctx, logger, level, EventCoAChange, attrs...)
}
