package telemetry

import (
	"bytes"
	"errors"
	"log/slog"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"linegate"
)

// fillOrders makes a series of every metric of orders.
func fillOrders(o *Orders) {
	service := linegate.Service{ID: "svc-1", Tenant: "acme", Username: "alice"}
	order := linegate.Order{Key: "1", Kind: linegate.OrderProvision, Tenant: "acme", Username: "alice", Set: map[string]string{"password": "hidden-one"}}
	o.StaticIPUsed(service, netip.MustParseAddr("203.0.113.7"))
	o.StaticIPUsed(service, netip.MustParseAddr("2001:db8::7"))
	o.PrefixDelegated("acme", 56)
	o.StepFailed(order, "acme/1", "onu: provision", errors.New("no answer"))
	o.Finished(order, linegate.OrderResult{OrderID: "acme/1", State: linegate.OrderDone}, time.Second)
	o.Finished(order, linegate.OrderResult{OrderID: "acme/1", State: linegate.OrderUndone, Error: "refused"}, time.Second)
	o.FinalConfiguration(service)
	o.SetPrefixPool("", "2001:db8::/40", 7, 65536)
	o.ONURepaired("acme", true)
	o.SetVLANPools([]linegate.VLANPoolUse{{Tenant: "acme", OLT: "olt-1", Pool: "internet", Used: 4, Size: 5}})
}

func TestOrdersAreCountedAndLogged(t *testing.T) {
	m := NewMetrics()
	var log bytes.Buffer
	fillOrders(m.Orders(t.Context(), slog.New(slog.NewJSONHandler(&log, nil))))
	families := gather(t, m)
	for name, want := range map[string]float64{
		"netbox_ipv6_pd_available_prefixes": 7, "netbox_ipv6_pd_total_prefixes": 65536, "provisioning_vlan_pool_used_ratio": 0.8,
	} {
		assert.InDelta(t, want, families[name].GetMetric()[0].GetGauge().GetValue(), 1e-9, name)
	}
	assert.InDelta(t, 1, families["netbox_ipv6_pd_allocations_total"].GetMetric()[0].GetCounter().GetValue(), 1e-9)
	assert.InDelta(t, 1, families["voltha_onu_repairs_total"].GetMetric()[0].GetCounter().GetValue(), 1e-9)
	assert.Len(t, families["provisioning_static_ip_used_total"].GetMetric(), 2)
	for _, event := range []string{EventStaticIPUsed, EventPrefixDelegated, EventOrderStepFailed, EventOrderFinished, EventFinalConfiguration} {
		assert.Contains(t, log.String(), `"event":"`+event+`"`)
	}
	assert.Contains(t, log.String(), `"skipped_netbox":true`)
	assert.NotContains(t, log.String(), "hidden-one")
}
