package telemetry

import (
	"bytes"
	"flag"
	"net/netip"
	"os"
	"sync"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"linegate"
)

var update = flag.Bool("update", false, "write docs/metrics.md anew")

func TestReferenceListsEveryMetric(t *testing.T) {
	const page = "../docs/metrics.md"
	var want bytes.Buffer
	require.NoError(t, NewMetrics().WriteReference(&want))
	if *update {
		require.NoError(t, os.WriteFile(page, want.Bytes(), 0o644))
	}
	got, err := os.ReadFile(page)
	require.NoError(t, err)
	assert.Equal(t, want.String(), string(got), "run: go test ./telemetry -run Reference -update")
}

func TestEveryDefinitionIsOnTheRegistry(t *testing.T) {
	m := fullMetrics()
	families := gather(t, m)
	for _, definition := range m.Definitions() {
		family := families[definition.Name]
		if !assert.NotNil(t, family, "%s is not on the registry", definition.Name) {
			continue
		}
		assert.Equal(t, definition.Help, family.GetHelp())
		assert.NotEmpty(t, definition.Help)
		var labels []string
		for _, pair := range family.GetMetric()[0].GetLabel() {
			labels = append(labels, pair.GetName())
		}
		assert.ElementsMatch(t, definition.Labels, labels, definition.Name)
	}
}

// fullMetrics has at least one series of every metric.
func fullMetrics() *Metrics {
	m := NewMetrics()
	m.SetVersion("v1")
	m.SetNASes([]linegate.NAS{{Tenant: "demo", Name: "bng1"}})
	m.SetActiveByVLAN([]VLANCount{{Tenant: "demo", VLAN: 101, Count: 3}})
	m.RegisterQueue("127.0.0.1:1812", func() int { return 4 })
	m.RegisterStore(func() bool { return true })
	m.RegisterStanding(func() Standing { return StandingMemory })
	m.RegisterLedger(func() int { return 5 })
	m.RegisterLog(func() uint64 { return 6 })
	m.RegisterReplyCaches(func() uint64 { return 8 })
	m.RegisterSpool(func() SpoolStats {
		return SpoolStats{Bytes: 11, MaxBytes: 12, Events: 13, Oldest: time.Now().Add(-time.Hour), Spooled: 14, Replayed: 15, SetAside: 16, Damaged: 17, Torn: 18}
	})
	m.RegisterCache(func() CacheStats { return CacheStats{Hits: 7, Misses: 8, Negative: 9, Keys: 10} })
	return m
}

func TestSampledMetricsShowWhatTheirSourcesSay(t *testing.T) {
	m := fullMetrics()
	assert.Equal(t, 4.0, value(t, m, "radius_queue_depth", "listener", "127.0.0.1:1812"))
	assert.Equal(t, 5.0, value(t, m, "radius_ledger_queue_depth"))
	assert.Equal(t, 6.0, value(t, m, "radius_log_events_dropped_total"))
	assert.Equal(t, 8.0, value(t, m, "radius_reply_cache_evictions_total"))
	assert.Equal(t, 7.0, value(t, m, "radius_cache_hits_total"))
	assert.Equal(t, 8.0, value(t, m, "radius_cache_misses_total"))
	assert.Equal(t, 9.0, value(t, m, "radius_cache_negative_hits_total"))
	assert.Equal(t, 10.0, value(t, m, "radius_cache_keys"))
	assert.Equal(t, 1.0, value(t, m, "radius_standing", "state", "memory"))
	assert.Equal(t, 0.0, value(t, m, "radius_standing", "state", "store"))
	assert.Equal(t, dto.MetricType_COUNTER, gather(t, m)["radius_cache_hits_total"].GetType())
	assert.Equal(t, dto.MetricType_GAUGE, gather(t, m)["radius_cache_keys"].GetType())
}

func TestTheSpoolShowsWhatItSays(t *testing.T) {
	m := fullMetrics()
	for name, want := range map[string]float64{
		"spool_bytes": 11, "spool_limit_bytes": 12, "spool_events": 13, "spooled_total": 14, "replayed_total": 15,
		"spool_set_aside_total": 16, "spool_damaged_total": 17, "spool_torn_total": 18,
	} {
		assert.Equal(t, want, value(t, m, "radius_accounting_"+name), name)
	}
	assert.InDelta(t, 3600, value(t, m, "radius_accounting_spool_oldest_seconds"), 600)
	m.RegisterSpool(func() SpoolStats { return SpoolStats{} })
	assert.Zero(t, value(t, m, "radius_accounting_spool_oldest_seconds"))
	assert.Nil(t, gather(t, NewMetrics())["radius_accounting_spool_bytes"], "no spool, no series")
}

func TestARegisteredSourceReplacesTheEarlierOne(t *testing.T) {
	m := fullMetrics()
	m.RegisterQueue("127.0.0.1:1812", func() int { return 40 })
	m.RegisterQueue("[::1]:1812", func() int { return 41 })
	assert.Equal(t, 40.0, value(t, m, "radius_queue_depth", "listener", "127.0.0.1:1812"))
	assert.Equal(t, 41.0, value(t, m, "radius_queue_depth", "listener", "[::1]:1812"))
}

func TestActiveByVLANShowsOnlyTheNewestCount(t *testing.T) {
	m := NewMetrics()
	m.SetActiveByVLAN([]VLANCount{{"demo", 101, 3}, {"demo", 102, 1}})
	m.SetActiveByVLAN([]VLANCount{{"demo", 102, 2}, {"other", 102, 5}, {"other", 102, 6}})
	assert.Len(t, gather(t, m)["radius_active_subscribers_by_vlan"].GetMetric(), 2)
	assert.Equal(t, 2.0, value(t, m, "radius_active_subscribers_by_vlan", "tenant_id", "demo", "vlan_id", "102"))
	assert.Equal(t, 6.0, value(t, m, "radius_active_subscribers_by_vlan", "tenant_id", "other", "vlan_id", "102"))
}

func TestNASProtectionFollowsSettingAndLearning(t *testing.T) {
	m := NewMetrics()
	m.SetNASes([]linegate.NAS{
		{Tenant: "demo", Name: "required", RequireMessageAuthenticator: linegate.Yes},
		{Tenant: "demo", Name: "learned", RequireMessageAuthenticator: linegate.Auto, Learned: linegate.Yes},
		{Tenant: "demo", Name: "open", RequireMessageAuthenticator: linegate.No, Learned: linegate.Yes},
		{Tenant: "demo", Name: "new", RequireMessageAuthenticator: linegate.Auto, Learned: linegate.Auto},
	})
	for name, want := range map[string]float64{"required": 1, "learned": 1, "open": 0, "new": 0} {
		assert.Equal(t, want, value(t, m, "radius_nas_message_authenticator", "tenant_id", "demo", "nas", name), name)
	}
	m.SetNASes(nil)
	assert.Nil(t, gather(t, m)["radius_nas_message_authenticator"], "a removed NAS is no longer shown")
}

func TestServerMetricsCount(t *testing.T) {
	m := NewMetrics()
	for _, reason := range Drops() {
		m.Drop(reason)
		assert.Equal(t, 1.0, value(t, m, "radius_drops_total", "reason", string(reason)))
	}
	m.Drop("from the network")
	assert.Len(t, gather(t, m)["radius_drops_total"].GetMetric(), len(Drops()), "a value that is not listed makes no series")

	m.Duplicate(DuplicateResent)
	m.Duplicate(DuplicateResent)
	m.Duplicate(DuplicateInFlight)
	assert.Equal(t, 2.0, value(t, m, "radius_duplicates_total", "kind", "resent"))
	assert.Equal(t, 1.0, value(t, m, "radius_duplicates_total", "kind", "in_flight"))

	m.RegisterStore(func() bool { return true })
	assert.Equal(t, 1.0, value(t, m, "radius_store_up"))
	m.RegisterStore(func() bool { return false })
	assert.Equal(t, 0.0, value(t, m, "radius_store_up"))

	m.AccountingCommit(20 * time.Millisecond)
	assert.Equal(t, 1.0, value(t, m, "radius_accounting_commit_seconds"))

	m.AdmissionUnchecked()
	assert.Equal(t, 1.0, value(t, m, "radius_session_limit_unchecked_total"))
	m.SessionsStale(2)
	assert.Equal(t, 2.0, value(t, m, "radius_sessions_stale_total"))
	assert.Equal(t, 0.0, value(t, m, "radius_retention_dropped_total", "kind", "events"), "the series is there from the start")
	m.Retained(3, 4)
	assert.Equal(t, 3.0, value(t, m, "radius_retention_dropped_total", "kind", "events"))
	assert.Equal(t, 4.0, value(t, m, "radius_retention_dropped_total", "kind", "sessions"))

	m.SetVersion("v1")
	m.SetVersion("v2")
	assert.Len(t, gather(t, m)["linegate_build_info"].GetMetric(), 1)
	assert.Equal(t, 1.0, value(t, m, "linegate_build_info", "version", "v2"))
}

func TestTenantCountsPackets(t *testing.T) {
	m := NewMetrics()
	tenant := m.Tenant("demo")
	assert.Same(t, tenant, m.Tenant("demo"))
	assert.NotSame(t, tenant, m.Tenant("other"))

	for _, kind := range RequestTypes() {
		tenant.Request(kind)
		assert.Equal(t, 1.0, value(t, m, "radius_requests_total", "tenant_id", "demo", "type", string(kind)))
	}
	for _, code := range ReplyCodes() {
		tenant.Reply(code)
		assert.Equal(t, 1.0, value(t, m, "radius_replies_total", "tenant_id", "demo", "code", string(code)))
	}
	for _, status := range acctStatuses() {
		tenant.Accounting(status)
		assert.Equal(t, 1.0, value(t, m, "radius_accounting_events_total", "tenant_id", "demo", "status", string(status)))
		assert.Equal(t, 0.0, value(t, m, "radius_accounting_events_total", "tenant_id", "other", "status", string(status)))
	}
	for _, reason := range linegate.Reasons() {
		tenant.Decision(&linegate.Decision{Reason: reason}, 0)
		assert.Equal(t, 1.0, value(t, m, "radius_decisions_total", "tenant_id", "demo", "reason", string(reason)))
	}
}

func TestDecisionCountsItsOption82Check(t *testing.T) {
	type labels struct{ result, policy, action string }
	cases := map[string]struct {
		check      linegate.Option82Check
		accept     bool
		counted    labels
		mismatched []string
	}{
		"a match is accepted": {
			linegate.Option82Check{Result: linegate.Option82Match, Policy: linegate.Option82Enforce}, true,
			labels{"match", "enforce", "accept"}, nil},
		"a wrong circuit is rejected under enforce": {
			linegate.Option82Check{Result: linegate.Option82Mismatch, Policy: linegate.Option82Enforce, CircuitIDDiffers: true}, false,
			labels{"mismatch", "enforce", "reject"}, []string{"circuit_id"}},
		"a wrong line is accepted under log, and counted for both fields": {
			linegate.Option82Check{Result: linegate.Option82Mismatch, Policy: linegate.Option82Log, CircuitIDDiffers: true, RemoteIDDiffers: true}, true,
			labels{"mismatch", "log", "accept"}, []string{"circuit_id", "remote_id"}},
		"a missing line has no mismatched field": {
			linegate.Option82Check{Result: linegate.Option82Missing, Policy: linegate.Option82Log}, true,
			labels{"missing", "log", "accept"}, nil},
		"an ignored line": {
			linegate.Option82Check{Result: linegate.Option82Ignored, Policy: linegate.Option82Ignore}, true,
			labels{"ignored", "ignore", "accept"}, nil},
		"a subscriber without a profile has the policy none": {
			linegate.Option82Check{Result: linegate.Option82NoProfile}, false,
			labels{"no_profile", "none", "reject"}, nil},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			m := NewMetrics()
			m.Tenant("demo").Decision(&linegate.Decision{Accept: c.accept, Reason: linegate.ReasonAuthorized, Option82: c.check}, time.Millisecond)
			assert.Equal(t, 1.0, value(t, m, "radius_option82_validations_total",
				"tenant_id", "demo", "result", c.counted.result, "policy", c.counted.policy, "action", c.counted.action))
			assert.Equal(t, 1.0, total(t, m, "radius_option82_validations_total"))
			for _, field := range c.mismatched {
				assert.Equal(t, 1.0, value(t, m, "radius_option82_mismatches_total",
					"tenant_id", "demo", "policy", c.counted.policy, "field", field))
			}
			assert.Equal(t, float64(len(c.mismatched)), total(t, m, "radius_option82_mismatches_total"))
		})
	}
}

func TestDecisionBeforeTheLineIsReachedCountsNoCheck(t *testing.T) {
	m := NewMetrics()
	m.Tenant("demo").Decision(&linegate.Decision{Reason: linegate.ReasonWrongPassword}, time.Millisecond)
	assert.Zero(t, total(t, m, "radius_option82_validations_total"))
	assert.Equal(t, 1.0, value(t, m, "radius_access_request_validation_duration_seconds", "tenant_id", "demo", "result", "reject"))
	assert.Zero(t, value(t, m, "radius_access_request_validation_duration_seconds", "tenant_id", "demo", "result", "accept"))
}

func TestDecisionOutsideTheClosedListsMakesNoSeries(t *testing.T) {
	m := NewMetrics()
	m.Tenant("demo")
	before := len(gather(t, m)["radius_option82_validations_total"].GetMetric())
	m.Tenant("demo").Decision(&linegate.Decision{Reason: "new", Option82: linegate.Option82Check{Result: "new", Policy: "new", CircuitIDDiffers: true}}, 0)
	assert.Len(t, gather(t, m)["radius_option82_validations_total"].GetMetric(), before)
	assert.Zero(t, total(t, m, "radius_option82_mismatches_total"))
}

func TestDecisionCountsWhatItGrants(t *testing.T) {
	address, prefix := netip.MustParseAddr, netip.MustParsePrefix
	cases := map[string]struct {
		grant linegate.Grant
		want  map[string]float64 // metric and its label's value: count
	}{
		"nothing but access": {linegate.Grant{IPv6Mode: linegate.IPv6None}, nil},
		"a single VLAN": {
			linegate.Grant{ServiceVLAN: 101, IPv6Mode: linegate.IPv6DualStack},
			map[string]float64{"radius_vlan_assignments_total single": 1}},
		"QinQ": {
			linegate.Grant{ServiceVLAN: 102, InnerVLAN: 202, QinQ: true},
			map[string]float64{"radius_vlan_assignments_total qinq": 1}},
		"a fixed IPv4 address and a delegated prefix": {
			linegate.Grant{IPv4: address("100.64.0.11"), IPv6Mode: linegate.IPv6DualStack, DelegatedIPv6Prefix: prefix("2001:db8:100::/56")},
			map[string]float64{"radius_static_ip_assignments_total 4": 1, "radius_ipv6_assignments_total dual_stack": 1}},
		"a fixed IPv6 address": {
			linegate.Grant{IPv6Mode: linegate.IPv6Stateful, FramedIPv6Address: address("2001:db8:300::5")},
			map[string]float64{"radius_static_ip_assignments_total 6": 1, "radius_ipv6_assignments_total stateful": 1}},
		"a prefix for SLAAC": {
			linegate.Grant{IPv6Mode: linegate.IPv6SLAAC, FramedIPv6Prefix: prefix("2001:db8:200:1::/64")},
			map[string]float64{"radius_ipv6_assignments_total slaac": 1}},
		"a pool for delegation": {
			linegate.Grant{IPv6Mode: linegate.IPv6PD, DelegatedIPv6Pool: "pd"},
			map[string]float64{"radius_ipv6_assignments_total pd": 1}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			m := NewMetrics()
			m.Tenant("demo").Decision(&linegate.Decision{Accept: true, Reason: linegate.ReasonAuthorized, Grant: c.grant}, time.Millisecond)
			got := map[string]float64{}
			for metric, label := range map[string]string{
				"radius_vlan_assignments_total": "vlan_type", "radius_ipv6_assignments_total": "mode", "radius_static_ip_assignments_total": "ip_version",
			} {
				for _, series := range gather(t, m)[metric].GetMetric() {
					if count := series.GetCounter().GetValue(); count > 0 {
						got[metric+" "+labelOf(series, label)] = count
					}
				}
			}
			if c.want == nil {
				c.want = map[string]float64{}
			}
			assert.Equal(t, c.want, got)
		})
	}
}

func TestCountingAPacketDoesNotAllocate(t *testing.T) {
	m := NewMetrics()
	tenant := m.Tenant("demo")
	decision := &linegate.Decision{
		Accept: true, Reason: linegate.ReasonAuthorized,
		Option82: linegate.Option82Check{Result: linegate.Option82Mismatch, Policy: linegate.Option82Log, CircuitIDDiffers: true, RemoteIDDiffers: true},
		Grant: linegate.Grant{ServiceVLAN: 101, IPv4: netip.MustParseAddr("100.64.0.11"),
			IPv6Mode: linegate.IPv6Stateful, FramedIPv6Address: netip.MustParseAddr("2001:db8::1")},
	}
	allocations := testing.AllocsPerRun(100, func() {
		tenant.Request(RequestAuth)
		tenant.Decision(decision, 20*time.Microsecond)
		tenant.Reply(ReplyAccessAccept)
		tenant.Accounting(linegate.AcctStop)
		m.Drop(DropOverloaded)
		m.Duplicate(DuplicateResent)
		m.AccountingCommit(time.Millisecond)
	})
	assert.Zero(t, allocations)
}

func TestMetricsAreSafeForConcurrentUse(t *testing.T) {
	m := NewMetrics()
	var workers sync.WaitGroup
	for range 4 {
		workers.Go(func() {
			for range 200 {
				m.Tenant("demo").Decision(&linegate.Decision{Reason: linegate.ReasonSuspended}, time.Microsecond)
				m.Drop(DropMalformed)
				m.SetActiveByVLAN([]VLANCount{{"demo", 101, 1}})
				m.RegisterQueue("a", func() int { return 1 })
			}
		})
	}
	for range 5 {
		gather(t, m)
	}
	workers.Wait()
	assert.Equal(t, 800.0, value(t, m, "radius_drops_total", "reason", "malformed"))
	assert.Equal(t, 800.0, value(t, m, "radius_decisions_total", "tenant_id", "demo", "reason", "suspended"))
}

func BenchmarkDecision(b *testing.B) {
	tenant := NewMetrics().Tenant("demo")
	decision := &linegate.Decision{Accept: true, Reason: linegate.ReasonAuthorized,
		Option82: linegate.Option82Check{Result: linegate.Option82Match, Policy: linegate.Option82Enforce},
		Grant:    linegate.Grant{ServiceVLAN: 101}}
	b.ReportAllocs()
	for b.Loop() {
		tenant.Decision(decision, 20*time.Microsecond)
	}
}

func gather(t *testing.T, m *Metrics) map[string]*dto.MetricFamily {
	t.Helper()
	families, err := m.Registry().Gather()
	require.NoError(t, err)
	byName := map[string]*dto.MetricFamily{}
	for _, family := range families {
		byName[family.GetName()] = family
	}
	return byName
}

// value returns a counter's or gauge's value, or how many a histogram counted.
// labels are names and values in turn.
func value(t *testing.T, m *Metrics, name string, labels ...string) float64 {
	t.Helper()
	for _, series := range gather(t, m)[name].GetMetric() {
		matches := true
		for i := 0; i < len(labels); i += 2 {
			matches = matches && labelOf(series, labels[i]) == labels[i+1]
		}
		if matches {
			return reading(series)
		}
	}
	require.Fail(t, "no such series", "%s %v", name, labels)
	return 0
}

func total(t *testing.T, m *Metrics, name string) (sum float64) {
	t.Helper()
	for _, series := range gather(t, m)[name].GetMetric() {
		sum += reading(series)
	}
	return sum
}

func reading(series *dto.Metric) float64 {
	return series.GetCounter().GetValue() + series.GetGauge().GetValue() + float64(series.GetHistogram().GetSampleCount())
}

func labelOf(series *dto.Metric, name string) string {
	for _, pair := range series.GetLabel() {
		if pair.GetName() == name {
			return pair.GetValue()
		}
	}
	return ""
}
