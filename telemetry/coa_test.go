package telemetry

import (
	"log/slog"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"linegate"
)

func TestChangesAreCountedByKindAndOutcome(t *testing.T) {
	m := NewMetrics()
	m.CoAChange("demo", linegate.ChangeVLAN, linegate.ChangeAcked)
	m.CoAChange("demo", linegate.ChangeVLAN, linegate.ChangeAcked)
	m.CoAChange("demo", linegate.ChangeVLAN, linegate.ChangeRefused)
	m.CoAChange("demo", linegate.ChangeRate, linegate.ChangeAcked)
	m.CoAChange("demo", "made up", "made up")
	m.CoADone("made up", time.Second)
	m.CoADone(linegate.ChangeAcked, time.Second)
	m.StrayAnswer(linegate.StrayNotAwaited)
	m.RelayDrop(linegate.RelayReplayed)
	assert.Equal(t, 2.0, value(t, m, "radius_coa_total", "tenant_id", "demo", "kind", "vlan", "outcome", "acked"))
	assert.Equal(t, 1.0, value(t, m, "radius_coa_total", "tenant_id", "demo", "kind", "vlan", "outcome", "nak"))
	assert.Equal(t, 1.0, value(t, m, "radius_coa_total", "tenant_id", "demo", "kind", "rate", "outcome", "acked"))
	assert.Equal(t, 2.0, value(t, m, "radius_vlan_changes_total", "tenant_id", "demo", "success", "true"))
	assert.Equal(t, 1.0, value(t, m, "radius_vlan_changes_total", "tenant_id", "demo", "success", "false"))
	assert.Equal(t, 1.0, value(t, m, "radius_coa_stray_answers_total", "reason", "not_awaited"))
	assert.Equal(t, 1.0, value(t, m, "radius_coa_relay_drops_total", "reason", "replayed"))
}

func TestAChangeIsAnEventWithItsCause(t *testing.T) {
	session := &linegate.Session{ID: "uuid", AcctSessionID: "s1", UserName: "bob",
		NAS: linegate.NASKey{Tenant: "demo", Name: "bng1", Address: netip.MustParseAddr("192.0.2.1")}}
	outcome := &linegate.ChangeOutcome{Result: linegate.ChangeRefused, Cause: 503, Disconnected: true, Detail: "in words"}
	lines := logged(t, func(logger *slog.Logger) {
		CoAChange(t.Context(), logger, session, "suspend", outcome, 1500*time.Microsecond)
	})
	require.Len(t, lines, 1)
	assert.Equal(t, map[string]any{
		"msg": "coa_change", "event": "coa_change", "tenant_id": "demo", "nas": "bng1", "nas_address": "192.0.2.1",
		"username": "bob", "session_id": "uuid", "acct_session_id": "s1", "kind": "suspend", "outcome": "nak", "took": "1.5ms",
		"error_cause": 503.0, "cause": "503 Session-Context-Not-Found", "disconnected": true, "detail": "in words",
	}, lines[0])
}
