package provisioning

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"linegate"
)

func TestAChangeTellsLiveSessionsOfAllThatIsNew(t *testing.T) {
	for name, c := range map[string]struct {
		vlans bool
		set   map[string]string
		told  []linegate.ChangeKind
		warns string
	}{
		"VLAN and rate": {true, map[string]string{"service_vlan": "7", "download_kbps": "5"},
			[]linegate.ChangeKind{linegate.ChangeVLAN, linegate.ChangeRate}, ""},
		"VLAN and rate, where VLANs are not told": {false, map[string]string{"service_vlan": "7", "download_kbps": "5"},
			[]linegate.ChangeKind{linegate.ChangeRate}, "enable_vlan_coa_updates is off"},
		"an address and rate":        {true, map[string]string{"static_ipv4": "203.0.113.9", "download_kbps": "5"}, []linegate.ChangeKind{linegate.ChangeDisconnect}, ""},
		"what no session is told of": {true, map[string]string{"filter_id": "f"}, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, func(o *Options) {
				flags := DefaultFlags()
				flags.VLANCoAUpdates = c.vlans
				o.Flags = func(string) Flags { return flags }
			})
			order := brief("1", linegate.OrderProvision, "alice")
			order.Set = map[string]string{"circuit_id": "c", "service_vlan": "6", "download_kbps": "4"}
			require.Equal(t, linegate.OrderDone, b.run(order).State)
			order = brief("2", linegate.OrderChange, "alice")
			order.Set = c.set
			standing := b.run(order)
			require.Equal(t, linegate.OrderDone, standing.State)
			assert.Equal(t, c.told, b.world.pushes["alice"])
			if c.warns != "" {
				require.Len(t, standing.Result.Warnings, 1)
				assert.Contains(t, standing.Result.Warnings[0], c.warns)
			}
		})
	}
}

func TestWhatAnOrderWroteIsKnown(t *testing.T) {
	s := &story{id: "acme/1", order: linegate.Order{Actor: "root@bng"}}
	assert.True(t, ByOrder(s.actor()))
	assert.False(t, ByOrder("root@bng"))
}
