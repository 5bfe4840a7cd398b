package telemetry

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"linegate"
)

// TenantMetrics counts what happens to one tenant's packets. All its series
// are resolved beforehand, so that a packet neither formats labels nor
// allocates. Safe for concurrent use.
type TenantMetrics struct {
	requests    tally[RequestType]
	replies     tally[ReplyCode]
	decisions   tally[linegate.Reason]
	accounting  tally[linegate.AcctStatus]
	validations tally[validation]
	mismatches  tally[mismatch]
	singleVLAN  prometheus.Counter
	qinq        prometheus.Counter
	ipv6        tally[linegate.IPv6AssignmentMode]
	staticIPv4  prometheus.Counter
	staticIPv6  prometheus.Counter
	vlanChecks  tally[linegate.VLANCheck]
	moves       prometheus.Counter
	shared      prometheus.Counter
	conflicts   prometheus.Counter
	accepts     prometheus.Observer
	rejects     prometheus.Observer
	changes     tally[changeLabels]

	vlanChanged, vlanUnchanged prometheus.Counter
}

// validation and mismatch are the label values of one series.
type validation struct {
	result linegate.Option82Result
	policy linegate.Option82Policy
	accept bool
}

type mismatch struct {
	policy linegate.Option82Policy
	field  string
}

// Request counts a request from a known NAS, before it is checked.
func (t *TenantMetrics) Request(kind RequestType) { t.requests.add(kind) }

// Reply counts a reply that was made, resent ones left out.
func (t *TenantMetrics) Reply(code ReplyCode) { t.replies.add(code) }

// Accounting counts an event that was made durable.
func (t *TenantMetrics) Accounting(status linegate.AcctStatus) { t.accounting.add(status) }

// Decision counts a decision with its Option 82 check and everything it
// grants. took is the time from reading the packet to having the decision.
func (t *TenantMetrics) Decision(decision *linegate.Decision, took time.Duration) {
	t.decisions.add(decision.Reason)
	if check := &decision.Option82; check.Result != "" {
		t.check(check, decision.Accept)
	}
	if decision.VLAN.Result != "" {
		t.vlanChecks.add(decision.VLAN)
	}
	if decision.LineOwner != nil {
		t.moves.Inc()
	} else if decision.OnSharedLine() {
		t.shared.Inc()
	}
	if !decision.Accept {
		t.rejects.Observe(took.Seconds())
		return
	}
	t.accepts.Observe(took.Seconds())
	t.grant(&decision.Grant)
}

// CarrierConflict counts a request whose attributes name different lines.
func (t *TenantMetrics) CarrierConflict() { t.conflicts.Inc() }

func (t *TenantMetrics) check(check *linegate.Option82Check, accept bool) {
	t.validations.add(validation{check.Result, check.Policy, accept})
	if check.CircuitIDDiffers {
		t.mismatches.add(mismatch{check.Policy, fieldCircuitID})
	}
	if check.RemoteIDDiffers {
		t.mismatches.add(mismatch{check.Policy, fieldRemoteID})
	}
}

func (t *TenantMetrics) grant(grant *linegate.Grant) {
	switch {
	case grant.ServiceVLAN == 0:
	case grant.QinQ:
		t.qinq.Inc()
	default:
		t.singleVLAN.Inc()
	}
	if grantsIPv6(grant) {
		t.ipv6.add(grant.IPv6Mode)
	}
	if grant.IPv4.IsValid() {
		t.staticIPv4.Inc()
	}
	if grant.FramedIPv6Address.IsValid() {
		t.staticIPv6.Inc()
	}
}

func grantsIPv6(grant *linegate.Grant) bool {
	return grant.FramedIPv6Prefix.IsValid() || grant.FramedIPv6Address.IsValid() || grant.DelegatedIPv6Prefix.IsValid() ||
		grant.FramedIPv6Pool != "" || grant.StatefulIPv6Pool != "" || grant.DelegatedIPv6Pool != ""
}

// tenantVectors are the metrics that have a series for each tenant.
type tenantVectors struct {
	requests, replies, decisions, accounting *prometheus.CounterVec
	validations, mismatches                  *prometheus.CounterVec
	vlanChecks, moves, shared, conflicts     *prometheus.CounterVec
	vlans, ipv6, staticIPs                   *prometheus.CounterVec
	durations                                *prometheus.HistogramVec
}

func newTenantVectors(m *Metrics) tenantVectors {
	return tenantVectors{
		requests: m.counter("radius_requests_total",
			"Requests from a known NAS by type, those that are dropped later included.", "tenant_id", "type"),
		replies: m.counter("radius_replies_total",
			"Replies made, by code; resent ones are not counted again.", "tenant_id", "code"),
		decisions: m.counter("radius_decisions_total",
			"Decisions on Access-Requests by their reason.", "tenant_id", "reason"),
		accounting: m.counter("radius_accounting_events_total",
			"Accounting events made durable, by Acct-Status-Type.", "tenant_id", "status"),
		validations: m.counter("radius_option82_validations_total",
			"Comparisons of a request's line with the profile's, by result, by the profile's policy and by what the request was answered with.",
			"tenant_id", "result", "policy", "action"),
		mismatches: m.counter("radius_option82_mismatches_total",
			"Fields of the line that differed from the profile; a request can count under both.", "tenant_id", "policy", "field"),
		vlanChecks: m.counter("radius_vlan_checks_total",
			"Comparisons of the VLANs that the NAS tells with the profile's, by result and by the profile's policy.", "tenant_id", "result", "policy"),
		moves: m.counter("radius_line_moves_total",
			"Mismatches whose line belongs to another subscriber.", "tenant_id"),
		shared: m.counter("radius_shared_lines_total",
			"Requests from a line that several subscribers have, where that is what was looked for.", "tenant_id"),
		conflicts: m.counter("radius_carrier_conflicts_total",
			"Requests whose attributes name different lines.", "tenant_id"),
		vlans: m.counter("radius_vlan_assignments_total",
			"Accepts that granted a VLAN, by single or qinq.", "tenant_id", "vlan_type"),
		ipv6: m.counter("radius_ipv6_assignments_total",
			"Accepts that granted IPv6 addresses, prefixes or pools, by assignment mode.", "tenant_id", "mode"),
		staticIPs: m.counter("radius_static_ip_assignments_total",
			"Fixed addresses granted, by IP version; a dual-stack accept can count under both.", "tenant_id", "ip_version"),
		durations: m.histogram("radius_access_request_validation_duration_seconds",
			"Time from reading an Access-Request to having its decision, in seconds.", validationBuckets(), "tenant_id", "result"),
	}
}

func (v *tenantVectors) tenant(name string) *TenantMetrics {
	t := &TenantMetrics{
		requests:   newTally(v.requests, RequestTypes(), name),
		replies:    newTally(v.replies, ReplyCodes(), name),
		decisions:  newTally(v.decisions, linegate.Reasons(), name),
		accounting: newTally(v.accounting, acctStatuses(), name),
		ipv6: newTally(v.ipv6, []linegate.IPv6AssignmentMode{
			linegate.IPv6SLAAC, linegate.IPv6Stateful, linegate.IPv6PD, linegate.IPv6DualStack}, name),
		moves:      v.moves.WithLabelValues(name),
		shared:     v.shared.WithLabelValues(name),
		conflicts:  v.conflicts.WithLabelValues(name),
		singleVLAN: v.vlans.WithLabelValues(name, "single"),
		qinq:       v.vlans.WithLabelValues(name, "qinq"),
		staticIPv4: v.staticIPs.WithLabelValues(name, "4"),
		staticIPv6: v.staticIPs.WithLabelValues(name, "6"),
		accepts:    v.durations.WithLabelValues(name, answerAccept),
		rejects:    v.durations.WithLabelValues(name, answerReject),
	}
	v.resolveChecks(t, name)
	return t
}

// resolveChecks makes the series of every result and policy that go together.
func (v *tenantVectors) resolveChecks(t *TenantMetrics, name string) {
	compared := []linegate.Option82Policy{linegate.Option82Enforce, linegate.Option82Log}
	for _, checked := range []struct {
		result   linegate.Option82Result
		policies []linegate.Option82Policy
	}{
		{linegate.Option82Match, compared},
		{linegate.Option82Mismatch, compared},
		{linegate.Option82Missing, compared},
		{linegate.Option82Ignored, []linegate.Option82Policy{linegate.Option82Ignore}},
		{linegate.Option82NoProfile, []linegate.Option82Policy{""}},
	} {
		for _, policy := range checked.policies {
			for _, accept := range []bool{true, false} {
				t.validations = append(t.validations, tallied[validation]{validation{checked.result, policy, accept},
					v.validations.WithLabelValues(name, string(checked.result), policyLabel(policy), answer(accept))})
			}
		}
	}
	for _, policy := range compared {
		for _, result := range linegate.VLANResults() {
			t.vlanChecks = append(t.vlanChecks, tallied[linegate.VLANCheck]{linegate.VLANCheck{Result: result, Policy: policy},
				v.vlanChecks.WithLabelValues(name, string(result), string(policy))})
		}
		for _, field := range []string{fieldCircuitID, fieldRemoteID} {
			t.mismatches = append(t.mismatches, tallied[mismatch]{mismatch{policy, field}, v.mismatches.WithLabelValues(name, string(policy), field)})
		}
	}
}
