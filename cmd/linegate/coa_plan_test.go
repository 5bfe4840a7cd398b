package main

import (
	"fmt"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"linegate"
	"linegate/cmd/linegate/config"
	"linegate/coa"
	"linegate/store"
)

// withHouseholds runs fn on a store where alice, who has a walled garden, and bob,
// who has none, are online, and a session of nobody.
func withHouseholds(t *testing.T, fn func(engine store.Engine)) {
	t.Helper()
	freshStore(t)
	require.NoError(t, os.WriteFile("isp.yaml", []byte(`
tenants: [{name: isp}]
nas: [{name: bng, address: 127.0.0.1, secret: testing123, coa_port: 9}]
subscribers:
  - {username: alice, profile: {circuit_id: a, service_vlan: 101, download_kbps: 5000, walled_garden_filter: garden}}
  - {username: bob, profile: {circuit_id: b, service_vlan: 102}}
`), 0o600))
	require.NoError(t, run(t, "", "apply", "-f", "isp.yaml").err)
	cfg, err := config.Load("")
	require.NoError(t, err)
	require.NoError(t, withMadeStore(t.Context(), cfg, func(engine store.Engine) error {
		var events []linegate.AccountingEvent
		for i, name := range []string{"alice", "bob", "nobody"} {
			event := linegate.AccountingEvent{NAS: linegate.NASKey{Tenant: "isp", Name: "bng", Address: netip.MustParseAddr("127.0.0.1")},
				Status: linegate.AcctStart, At: time.Now(), ReceivedAt: time.Now(), AcctSessionID: fmt.Sprintf("s%d", i), UserName: name,
				FramedIPv4: netip.AddrFrom4([4]byte{100, 64, 0, byte(i)})}
			if known, err := engine.Subscriber(t.Context(), "isp", name); err == nil {
				event.SubscriberID = known.ID
			}
			events = append(events, event)
		}
		require.NoError(t, engine.RecordAccounting(t.Context(), events))
		fn(engine)
		return nil
	}))
}

func TestAPlanSaysWhatEachSessionIsChangedTo(t *testing.T) {
	withHouseholds(t, func(engine store.Engine) {
		for name, test := range map[string]struct {
			args []string
			user string
			want linegate.Change // zero: passed over
		}{
			"the rate of the profile":        {[]string{"rate"}, "alice", linegate.Change{Kind: linegate.ChangeRate, Grant: linegate.Grant{Rate: linegate.Rate{DownloadKbps: 5000}}}},
			"a rate by flags":                {[]string{"rate", "--download-kbps", "7"}, "nobody", linegate.Change{Kind: linegate.ChangeRate, Grant: linegate.Grant{Rate: linegate.Rate{DownloadKbps: 7}}}},
			"no profile to take it from":     {[]string{"rate"}, "nobody", linegate.Change{}},
			"two VLANs, or else":             {[]string{"vlan", "--service-vlan", "7", "--inner-vlan", "8", "--or-disconnect"}, "bob", linegate.Change{Kind: linegate.ChangeVLAN, Grant: linegate.Grant{ServiceVLAN: 7, InnerVLAN: 8, QinQ: true}, OrDisconnect: true}},
			"a prefix":                       {[]string{"prefix", "--delegated-ipv6-prefix", "2001:db8::/56"}, "bob", linegate.Change{Kind: linegate.ChangePrefix, Grant: linegate.Grant{DelegatedIPv6Prefix: netip.MustParsePrefix("2001:db8::/56")}}},
			"suspended into the garden":      {[]string{"suspend"}, "alice", linegate.Change{Kind: linegate.ChangeSuspend, Grant: linegate.Grant{FilterID: "garden"}}},
			"suspended without one":          {[]string{"suspend"}, "bob", linegate.Change{Kind: linegate.ChangeDisconnect}},
			"a garden that nobody has named": {[]string{"walled-garden"}, "bob", linegate.Change{}},
			"a garden by flags":              {[]string{"walled-garden", "--filter-id", "f", "--framed-pool", "p"}, "bob", linegate.Change{Kind: linegate.ChangeWalledGarden, Grant: linegate.Grant{FilterID: "f", FramedPool: "p"}}},
			"resumed":                        {[]string{"resume"}, "bob", linegate.Change{Kind: linegate.ChangeResume, Grant: linegate.Grant{ServiceVLAN: 102}}},
			"asked again":                    {[]string{"reauthenticate"}, "nobody", linegate.Change{Kind: linegate.ChangeReauthenticate}},
			"ended":                          {[]string{"disconnect"}, "nobody", linegate.Change{Kind: linegate.ChangeDisconnect}},
		} {
			t.Run(name, func(t *testing.T) {
				request := coaRequest{}
				for _, kind := range coaKinds() {
					if kind.use == test.args[0] {
						request.coaKind = kind
					}
				}
				command := newCoAChangeCommand(&cli{}, request.coaKind)
				require.NoError(t, command.ParseFlags(append(test.args[1:], "--user", test.user)))
				request.orDisconnect, _ = command.Flags().GetBool("or-disconnect")
				request.selection.user = test.user
				require.NoError(t, request.readFlags(command))
				sessions, err := request.selection.sessions(t.Context(), engine, "isp")
				require.NoError(t, err)
				require.Len(t, sessions, 1)
				plan := &coaPlan{request: request, engine: engine, tenant: "isp"}
				require.NoError(t, plan.make(t.Context(), sessions))
				if test.want.Kind == "" {
					assert.Empty(t, plan.orders)
					assert.Equal(t, 1, plan.passed)
					assert.Len(t, plan.problems, 1)
					return
				}
				require.Len(t, plan.orders, 1)
				got := plan.orders[0].Changes[0]
				got.Grant = essential(got.Grant)
				assert.Equal(t, test.want, got)
			})
		}
	})
}

// essential leaves out of a grant what the cases of a test are not about.
func essential(g linegate.Grant) linegate.Grant {
	if g.Rate != (linegate.Rate{}) || g.FilterID == "garden" {
		g.ServiceVLAN = 0
	}
	g.IPv6Mode, g.AcctInterimInterval = "", 0
	return g
}

func TestWhatIsPushedFollowsFromTheFeed(t *testing.T) {
	withHouseholds(t, func(engine store.Engine) {
		p := &pusher{engine: engine}
		for _, step := range []struct {
			args  []string
			kinds string // empty: nothing
		}{
			{[]string{"profile", "set", "alice", "--download-kbps", "6000"}, "rate"},
			{[]string{"profile", "set", "alice", "--download-kbps", "6001", "--service-vlan", "111"}, "rate,vlan"},
			{[]string{"profile", "set", "alice", "--circuit-id", "elsewhere"}, ""},
			{[]string{"profile", "set", "alice", "--password", "changed"}, ""},
			{[]string{"profile", "set", "alice", "--status", "suspended"}, "suspend"},
			{[]string{"profile", "set", "alice", "--status", "active"}, "resume"},
			{[]string{"profile", "set", "newcomer", "--circuit-id", "n"}, ""},
			{[]string{"profile", "delete", "alice"}, "disconnect"},
		} {
			before, err := engine.Revision(t.Context())
			require.NoError(t, err)
			require.NoError(t, run(t, "", step.args...).err)
			orders, err := p.all(t.Context(), before, actor())
			require.NoError(t, err)
			if step.kinds == "" {
				assert.Empty(t, orders, step.args)
				continue
			}
			require.Len(t, orders, 1, step.args)
			assert.Equal(t, step.kinds, orders[0].Kinds(), step.args)
			again, err := p.all(t.Context(), before, actor())
			require.NoError(t, err)
			assert.Empty(t, again, "claimed once")
			others, err := (&pusher{engine: engine}).all(t.Context(), before, "somebody else")
			require.NoError(t, err)
			assert.Empty(t, others)
		}
	})
}

func TestOutcomesThatNeedAttentionAreShownFirst(t *testing.T) {
	order := coa.Order{Session: &linegate.Session{UserName: "u"}, Changes: []linegate.Change{{Kind: linegate.ChangeRate}}}
	var shown shownOutcomes
	for range 2 * mostOutcomes {
		shown.add(order, linegate.ChangeOutcome{Result: linegate.ChangeAcked})
	}
	for range mostOutcomes / 2 {
		shown.add(order, linegate.ChangeOutcome{Result: linegate.ChangeRefused, Cause: 503, Detail: "why"})
	}
	require.Len(t, shown.kept, mostOutcomes)
	assert.Equal(t, "u  rate  nak  503 Session-Context-Not-Found  why", outcomeLine(shown.kept[mostOutcomes/2-1]))
	assert.Equal(t, "u  rate  acked", outcomeLine(shown.kept[mostOutcomes/2]))
	for range 2 * mostOutcomes {
		shown.add(order, linegate.ChangeOutcome{Result: linegate.ChangeTimeout})
	}
	assert.Len(t, shown.kept, mostOutcomes)
	assert.Equal(t, mostOutcomes, shown.failed)
}

func TestClientsOfTheRelayNeedATenantAndASecret(t *testing.T) {
	withHouseholds(t, func(engine store.Engine) {
		address := netip.MustParsePrefix("192.0.2.1/32")
		require.NoError(t, os.WriteFile("secret", []byte("from the file\n"), 0o600))
		clients, err := relayClients(t.Context(), []config.CoAClient{
			{Address: address, Tenant: "isp", Secret: "plain"}, {Address: address, Tenant: "isp", SecretFile: "secret"}}, engine, nil)
		require.NoError(t, err)
		assert.Equal(t, []coa.Client{{Address: address, Tenant: "isp", Secret: "plain"}, {Address: address, Tenant: "isp", Secret: "from the file"}}, clients)
		nobody := []config.CoAClient{{Address: address, Tenant: "nobody", Secret: "x"}}
		_, err = relayClients(t.Context(), nobody, engine, nil)
		assert.ErrorIs(t, err, linegate.ErrNotFound)
		clients, err = relayClients(t.Context(), nobody, nil, linegate.ErrUnavailable)
		assert.NoError(t, err, "nobody can tell")
		assert.Len(t, clients, 1)
		_, err = relayClients(t.Context(), []config.CoAClient{{Address: address, Tenant: "isp", SecretFile: "missing"}}, engine, nil)
		assert.ErrorIs(t, err, os.ErrNotExist)
	})
}
