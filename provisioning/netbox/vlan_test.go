package netbox_test

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"linegate"
	"linegate/provisioning/netbox"
)

// get reads something behind the client's back.
func (s system) get(t *testing.T, path string, into any) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+path, nil)
	require.NoError(t, err)
	s.authorize(request)
	answer, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, answer.StatusCode, string(text))
	require.NoError(t, json.Unmarshal(text, into))
}

// shown are the VLANs of a group as "vid name status description", tagged ones
// first in NetBox's order; ok tells that the group is there.
func (s system) shown(t *testing.T, group string) (id int64, vlans []string) {
	t.Helper()
	var groups struct {
		Results []struct {
			ID   int64
			Name string
		}
	}
	s.get(t, "/api/ipam/vlan-groups/?limit=1000", &groups)
	for _, g := range groups.Results {
		if g.Name == group {
			id = g.ID
		}
	}
	if id == 0 {
		return 0, nil
	}
	var page struct {
		Results []struct {
			VID         int
			Name        string
			Description string
			Status      struct{ Value string }
			Tags        []struct{ Slug string }
		}
	}
	s.get(t, fmt.Sprintf("/api/ipam/vlans/?group_id=%d&limit=1000", id), &page)
	for _, v := range page.Results {
		vlans = append(vlans, strings.TrimSpace(fmt.Sprintf("%d %s %s %d %s", v.VID, v.Name, v.Status.Value, len(v.Tags), v.Description)))
	}
	return id, vlans
}

func TestVLANsAreMirroredInAllVersions(t *testing.T) {
	eachSystem(t, func(t *testing.T, s system) {
		client, _ := s.client(t)
		tenant := fmt.Sprintf("isp-%08x", rand.Uint32())
		name := tenant + "/olt-1/internet"
		all := netbox.VLANs{Store: tenant, Pools: []linegate.VLANPool{
			{Tenant: tenant, OLT: "olt-1", Name: "internet", Ranges: []linegate.VLANRange{{First: 100, Last: 199, InnerFirst: 1, InnerLast: 4094}}},
			{Tenant: tenant, OLT: "olt-1", Name: "unused", Ranges: []linegate.VLANRange{{First: 200, Last: 299, Capacity: 1}}},
		}}
		assign := func(key string, outer, inner linegate.VLAN, reserved bool) linegate.VLANAssignment {
			return linegate.VLANAssignment{Key: key, Tenant: tenant, OLT: "olt-1", Pool: "internet", VLANPair: linegate.VLANPair{Outer: outer, Inner: inner}, Reserved: reserved}
		}
		mirror := func(want netbox.Mirrored) {
			t.Helper()
			done, err := client.MirrorVLANs(t.Context(), all)
			require.NoError(t, err)
			assert.Equal(t, want, done)
		}

		all.Assignments = []linegate.VLANAssignment{assign("a", 100, 1, false), assign("b", 100, 2, false), assign("r", 101, 1, true)}
		mirror(netbox.Mirrored{Made: 3})
		group, vlans := s.shown(t, name)
		assert.ElementsMatch(t, []string{"100 internet-100 active 1 Linegate: 2 services, 0 reserved", "101 internet-101 reserved 1 Linegate: 0 services, 1 reserved"}, vlans)
		none, _ := s.shown(t, tenant+"/olt-1/unused")
		assert.Zero(t, none, "a pool that nobody has anything of needs no group")
		mirror(netbox.Mirrored{})

		// Somebody adds VLANs of their own, one of which a service then gets.
		s.post(t, "/api/ipam/vlans/", map[string]any{"vid": 102, "name": "theirs", "group": group})
		all.Assignments = []linegate.VLANAssignment{assign("a", 100, 1, false), assign("c", 102, 1, false), assign("d", 103, 1, false)}
		mirror(netbox.Mirrored{Made: 1, Changed: 1, Removed: 1, Problems: []string{"VLAN 102 in group " + name + " is not ours and is left as it is"}})
		_, vlans = s.shown(t, name)
		assert.ElementsMatch(t, []string{"100 internet-100 active 1 Linegate: 1 services, 0 reserved", "102 theirs active 0", "103 internet-103 active 1 Linegate: 1 services, 0 reserved"}, vlans)

		// Another store on the same NetBox is none of our business.
		other := netbox.VLANs{Store: tenant + "-other"}
		done, err := client.MirrorVLANs(t.Context(), other)
		require.NoError(t, err)
		assert.Equal(t, netbox.Mirrored{}, done)

		all.Pools, all.Assignments = nil, nil
		mirror(netbox.Mirrored{Removed: 2, Problems: []string{"group " + name + " has no pool any more, and VLANs that are not ours: it stays"}})
		_, vlans = s.shown(t, name)
		assert.Equal(t, []string{"102 theirs active 0"}, vlans)
	})
}
