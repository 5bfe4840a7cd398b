package coa_test

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"

	"linegate"
	"linegate/coa"
)

func TestADifferenceOfGrantsIsNothingOrTheChangesToMake(t *testing.T) {
	base := linegate.Grant{ServiceVLAN: 100, Rate: linegate.Rate{DownloadKbps: 50000, UploadKbps: 10000},
		IPv4: netip.MustParseAddr("100.64.0.1"), DelegatedIPv6Prefix: netip.MustParsePrefix("2001:db8::/56"), SessionTimeout: 3600}
	with := func(how func(*linegate.Grant)) coa.Entitlement {
		grant := base
		how(&grant)
		return coa.Entitlement{Admitted: true, Grant: grant}
	}
	same := with(func(*linegate.Grant) {})
	walled := coa.Entitlement{Admitted: true, Walled: true, Grant: linegate.Grant{FilterID: "garden"}}
	for name, test := range map[string]struct {
		before, after coa.Entitlement
		kinds         []linegate.ChangeKind
		orDisconnect  bool
	}{
		"nothing":                             {same, same, nil, false},
		"still rejected":                      {coa.Entitlement{}, coa.Entitlement{}, nil, false},
		"terminated":                          {same, coa.Entitlement{}, []linegate.ChangeKind{linegate.ChangeDisconnect}, false},
		"rejected when it came online":        {coa.Entitlement{}, same, []linegate.ChangeKind{linegate.ChangeResume}, true},
		"a rate":                              {same, with(func(g *linegate.Grant) { g.Rate.DownloadKbps = 1 }), []linegate.ChangeKind{linegate.ChangeRate}, false},
		"a VLAN":                              {same, with(func(g *linegate.Grant) { g.ServiceVLAN = 2 }), []linegate.ChangeKind{linegate.ChangeVLAN}, false},
		"an inner VLAN":                       {same, with(func(g *linegate.Grant) { g.InnerVLAN, g.QinQ = 2, true }), []linegate.ChangeKind{linegate.ChangeVLAN}, false},
		"a delegated prefix":                  {same, with(func(g *linegate.Grant) { g.DelegatedIPv6Prefix = netip.Prefix{} }), []linegate.ChangeKind{linegate.ChangePrefix}, false},
		"a rate and a VLAN":                   {same, with(func(g *linegate.Grant) { g.ServiceVLAN, g.Rate.UploadKbps = 2, 1 }), []linegate.ChangeKind{linegate.ChangeRate, linegate.ChangeVLAN}, false},
		"an address":                          {same, with(func(g *linegate.Grant) { g.IPv4 = netip.Addr{} }), []linegate.ChangeKind{linegate.ChangeDisconnect}, false},
		"an address and a rate":               {same, with(func(g *linegate.Grant) { g.IPv4, g.Rate.UploadKbps = netip.Addr{}, 3 }), []linegate.ChangeKind{linegate.ChangeDisconnect}, false},
		"what counts from the next session":   {same, with(func(g *linegate.Grant) { g.FramedPool, g.SessionTimeout, g.UserName = "p", 1, "n" }), nil, false},
		"suspended into the garden":           {same, walled, []linegate.ChangeKind{linegate.ChangeSuspend}, true},
		"out of the garden":                   {walled, same, []linegate.ChangeKind{linegate.ChangeResume}, true},
		"the garden itself":                   {walled, coa.Entitlement{Admitted: true, Walled: true, Grant: linegate.Grant{FilterID: "other"}}, []linegate.ChangeKind{linegate.ChangeWalledGarden}, false},
		"what the garden does not give":       {walled, coa.Entitlement{Admitted: true, Walled: true, Grant: linegate.Grant{FilterID: "garden", SessionTimeout: 9}}, nil, false},
		"out of the garden, and not admitted": {walled, coa.Entitlement{}, []linegate.ChangeKind{linegate.ChangeDisconnect}, false},
	} {
		t.Run(name, func(t *testing.T) {
			changes := coa.Difference(test.before, test.after)
			var kinds []linegate.ChangeKind
			for _, change := range changes {
				kinds = append(kinds, change.Kind)
				assert.Equal(t, test.orDisconnect, change.OrDisconnect)
				if change.Kind != linegate.ChangeDisconnect {
					assert.Equal(t, test.after.Grant, change.Grant)
				}
			}
			assert.Equal(t, test.kinds, kinds)
		})
	}
}

func TestASessionFollowsWhatItsSubscriberMayHaveNow(t *testing.T) {
	grant := linegate.Grant{ServiceVLAN: 100}
	open := coa.Entitlement{Admitted: true, Grant: grant}
	walled := coa.Entitlement{Admitted: true, Walled: true, Grant: grant}
	disconnect := linegate.Change{Kind: linegate.ChangeDisconnect}
	for name, test := range map[string]struct {
		kind linegate.ChangeKind
		now  coa.Entitlement
		want linegate.Change
	}{
		"a rate":                            {linegate.ChangeRate, open, linegate.Change{Kind: linegate.ChangeRate, Grant: grant}},
		"resumed":                           {linegate.ChangeResume, open, linegate.Change{Kind: linegate.ChangeResume, Grant: grant, OrDisconnect: true}},
		"into the garden":                   {linegate.ChangeWalledGarden, walled, linegate.Change{Kind: linegate.ChangeWalledGarden, Grant: grant, OrDisconnect: true}},
		"a rate, but in the garden":         {linegate.ChangeRate, walled, linegate.Change{Kind: linegate.ChangeSuspend, Grant: grant, OrDisconnect: true}},
		"resumed, but no longer admitted":   {linegate.ChangeResume, coa.Entitlement{}, disconnect},
		"a disconnect":                      {linegate.ChangeDisconnect, open, disconnect},
		"asked again, whatever it may have": {linegate.ChangeReauthenticate, walled, linegate.Change{Kind: linegate.ChangeReauthenticate}},
	} {
		t.Run(name, func(t *testing.T) { assert.Equal(t, test.want, coa.Follow(test.kind, test.now)) })
	}
}
