package provisioning

import (
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"linegate"
)

// heard is an Observer that remembers.
type heard struct {
	unobserved
	mu        sync.Mutex
	statics   []netip.Addr
	delegated []int
	finished  []linegate.OrderState
	final     []string
}

func (h *heard) StaticIPUsed(_ linegate.Service, address netip.Addr) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.statics = append(h.statics, address)
}

func (h *heard) PrefixDelegated(_ string, length int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.delegated = append(h.delegated, length)
}

func (h *heard) Finished(_ linegate.Order, result linegate.OrderResult, _ time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.finished = append(h.finished, result.State)
}

func (h *heard) FinalConfiguration(service linegate.Service) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.final = append(h.final, service.ID)
}

func TestFixedAddressesSkipNetBox(t *testing.T) {
	listener := &heard{}
	b := newBench(t, func(o *Options) { o.Observer = listener })
	order := full("1", "alice")
	order.Set["static_ipv4"] = "203.0.113.7"
	standing := b.run(order)
	require.Equal(t, linegate.OrderDone, standing.State, "%+v", standing)
	assert.Equal(t, netip.MustParseAddr("203.0.113.7"), standing.Result.IPv4)
	assert.Equal(t, []netip.Addr{netip.MustParseAddr("203.0.113.7")}, listener.statics)
	assert.Equal(t, []int{56}, listener.delegated)
	assert.Len(t, b.world.allocations, 3, "IPv6 address and two prefixes")
	assert.Len(t, b.world.associated, 1)
	shown, err := b.engine.Show(t.Context(), standing.ID)
	require.NoError(t, err)
	assert.Contains(t, names(shown), "store: static ipv4 used, NetBox skipped")

	order = small("bob")
	order.Addresses = linegate.AddressWishes{}
	order.Set["static_ipv4"] = "203.0.113.8"
	assert.Equal(t, linegate.SourceStatic, b.run(order).Result.Source)
	assert.Equal(t, linegate.OrderDone, b.run(brief("9", linegate.OrderDeprovision, "bob")).State)
	assert.Len(t, listener.final, 1)
	assert.Equal(t, []linegate.OrderState{linegate.OrderDone, linegate.OrderDone, linegate.OrderDone}, listener.finished)
}

func names(standing Standing) (steps []string) {
	for _, step := range standing.Steps {
		steps = append(steps, step.Name)
	}
	return steps
}

func TestEachSwitchDoesWhatItSays(t *testing.T) {
	cases := map[string]struct {
		flags func(*Flags)
		order func(*linegate.Order)
		state linegate.OrderState
		error string
		warns string
	}{
		"QinQ off": {flags: func(f *Flags) { f.QinQProvisioning = false },
			order: func(o *linegate.Order) {
				o.VLAN = linegate.VLANWish{}
				o.Set["service_vlan"], o.Set["inner_vlan"], o.Set["qinq_enabled"] = "10", "20", "true"
			},
			state: linegate.OrderUndone, error: "enable_qinq_provisioning is off"},
		"prefix delegation off":                     {flags: func(f *Flags) { f.IPv6PD = false }, state: linegate.OrderUndone, error: "enable_ipv6_pd is off"},
		"prefix delegation off, and IPv4 is enough": {flags: func(f *Flags) { f.IPv6PD, f.AllowIPv4Only = false, true }, state: linegate.OrderDone, warns: "set up without IPv6"},
		"enforcement off": {flags: func(f *Flags) { f.Option82Enforcement = false },
			order: func(o *linegate.Order) { o.Set["option82_policy"] = "enforce" }, state: linegate.OrderDone, warns: "stored as log"},
		"the bypass off": {flags: func(f *Flags) { f.StaticIPBypass = false },
			order: func(o *linegate.Order) { o.Set["static_ipv4"] = "203.0.113.7" }, state: linegate.OrderDone},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			flags := DefaultFlags()
			c.flags(&flags)
			b := newBench(t, func(o *Options) { o.Flags = func(string) Flags { return flags } })
			order := small("alice")
			if c.order != nil {
				c.order(&order)
			}
			standing := b.run(order)
			require.Equal(t, c.state, standing.State, "%+v", standing.Result)
			assert.Contains(t, standing.Result.Error, c.error)
			if c.warns != "" {
				require.NotEmpty(t, standing.Result.Warnings)
				assert.Contains(t, standing.Result.Warnings[0], c.warns)
			}
			if c.state == linegate.OrderUndone {
				assert.Nil(t, b.subscriber("alice"))
				assert.Empty(t, b.world.allocations)
			}
		})
	}
}

func TestAStoredProfileCountsOnlyWhereItIsAllowedTo(t *testing.T) {
	flags := DefaultFlags()
	b := newBench(t, func(o *Options) { o.Flags = func(string) Flags { return flags } })
	stored := &linegate.Subscriber{Tenant: tenant, Username: "alice", Profile: &linegate.NetworkProfile{
		CircuitID: "old line", StaticIPv4: netip.MustParseAddr("203.0.113.9"), ServiceVLAN: 77, Option82Policy: linegate.Option82Enforce,
	}}
	stored.Normalize()
	require.NoError(t, profiles{b.store}.PutSubscriber(t.Context(), "test", stored))
	order := small("alice")
	order.VLAN, order.Set = linegate.VLANWish{}, map[string]string{"password": "x"}
	flags.NetworkProfileConsumption = false
	refused := b.run(order)
	assert.Contains(t, refused.Result.Error, "enable_network_profile_consumption is off")
	assert.Equal(t, linegate.VLAN(77), b.subscriber("alice").Profile.ServiceVLAN)
	flags.NetworkProfileConsumption = true
	order.Key = "again"
	done := b.run(order)
	require.Equal(t, linegate.OrderDone, done.State, "%+v", done.Result)
	assert.Equal(t, netip.MustParseAddr("203.0.113.9"), done.Result.IPv4)
	assert.Equal(t, linegate.VLAN(77), done.Result.ServiceVLAN)
	assert.Equal(t, linegate.Octets("old line"), b.subscriber("alice").Profile.CircuitID)
}

func TestWhatCanNotBeIsRefusedBeforeAnythingIsAllocated(t *testing.T) {
	cases := map[string]struct {
		adjust func(*Options)
		order  func(*linegate.Order)
		want   string
	}{
		"a CPE that nobody knows": {order: func(o *linegate.Order) { o.CPE.Device = "unknown" }, want: "cpe: plan: cpe unknown: not found"},
		"a CPE without IPv6":      {order: func(o *linegate.Order) { o.CPE.Device = "v4only-1" }, want: "no path for IPv6"},
		"PPP with a hash": {order: func(o *linegate.Order) {
			o.Set["password"] = "$2b$10$abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZ01234"
		}, want: "a CPE can't be given a hash"},
		"an ONU without VLAN":       {order: func(o *linegate.Order) { o.VLAN = linegate.VLANWish{} }, want: "an ONU needs one"},
		"a pool beside a VLAN":      {order: func(o *linegate.Order) { o.Set["service_vlan"] = "7" }, want: "a pool or a service_vlan, not both"},
		"a pool that is not there":  {order: func(o *linegate.Order) { o.VLAN.Pool = "nothing" }, want: "VLAN pool nothing of olt-1: not found"},
		"a mode that withholds":     {order: func(o *linegate.Order) { o.Set["ipv6_assignment_mode"] = "slaac" }, want: "only where ipv6_assignment_mode"},
		"addresses without NetBox":  {adjust: func(o *Options) { o.Addresses = nil }, want: "no NetBox is configured"},
		"neither password nor line": {order: func(o *linegate.Order) { o.Set, o.CPE.PPP = map[string]string{}, false }, want: "required unless circuit_id"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, c.adjust)
			order := small("alice")
			if c.order != nil {
				c.order(&order)
			}
			standing := b.run(order)
			assert.Equal(t, linegate.OrderUndone, standing.State)
			assert.Contains(t, standing.Result.Error, c.want)
			assert.Empty(t, b.world.allocations)
			assert.Nil(t, b.subscriber("alice"))
			_, err := Preview(t.Context(), b.engine.options, order)
			if c.order == nil || order.VLAN.Pool != "nothing" { // only the store knows its pools
				assert.ErrorContains(t, err, c.want[max(0, len(c.want)-20):])
			}
		})
	}
}

func TestWithoutIPv6OnlyWhereThatIsAllowed(t *testing.T) {
	b := newBench(t, nil)
	order := small("alice")
	order.CPE.Device, order.AllowIPv4Only = "v4only-1", true
	standing := b.run(order)
	require.Equal(t, linegate.OrderDone, standing.State, "%+v", standing.Result)
	assert.Equal(t, linegate.IPv6None, standing.Result.IPv6Mode)
	assert.False(t, standing.Result.DelegatedIPv6Prefix.IsValid())
	assert.Contains(t, standing.Result.Warnings[0], "set up without IPv6")
	assert.Len(t, b.world.allocations, 1)
}

func TestSystemsThatAreNotConfiguredAreSkippedAndSaidSo(t *testing.T) {
	b := newBench(t, func(o *Options) { o.ONU, o.CPE, o.Changes = nil, nil, nil })
	standing := b.run(small("alice"))
	require.Equal(t, linegate.OrderDone, standing.State, "%+v", standing.Result)
	assert.Equal(t, []string{"ONU skipped: no VOLTHA is configured", "CPE skipped: no GenieACS is configured"}, standing.Result.Warnings)
	suspended := b.run(brief("2", linegate.OrderSuspend, "alice"))
	assert.Equal(t, []string{"live sessions are not told: nothing here sends CoA"}, suspended.Result.Warnings)
}

func TestSuspensionByEachStrategy(t *testing.T) {
	cases := map[string]struct {
		set    map[string]string
		order  func(*linegate.Order)
		push   linegate.ChangeKind
		status linegate.SubscriberStatus
		rate   uint32
		error  string
	}{
		"by disconnecting":          {push: linegate.ChangeDisconnect, status: linegate.StatusSuspended, rate: 100000},
		"into the profile's garden": {set: map[string]string{"walled_garden_filter": "pay"}, push: linegate.ChangeWalledGarden, status: linegate.StatusSuspended, rate: 100000},
		"by rate": {order: func(o *linegate.Order) {
			o.Strategy, o.SuspendRate = linegate.SuspendByRate, linegate.Rate{DownloadKbps: 64, UploadKbps: 64}
		}, push: linegate.ChangeRate, status: linegate.StatusActive, rate: 64},
		"into a garden that isn't there": {order: func(o *linegate.Order) { o.Strategy = linegate.SuspendByWalledGarden }, error: "only where the profile names a walled garden"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, nil)
			order := small("alice")
			for field, value := range c.set {
				order.Set[field] = value
			}
			require.Equal(t, linegate.OrderDone, b.run(order).State)
			suspend := brief("2", linegate.OrderSuspend, "alice")
			if c.order != nil {
				c.order(&suspend)
			}
			lines, err := Preview(t.Context(), b.engine.options, suspend)
			standing := b.run(suspend)
			assert.Contains(t, standing.Result.Error, c.error)
			if c.error != "" {
				assert.ErrorContains(t, err, c.error)
				return
			}
			require.NoError(t, err)
			assert.Len(t, lines, 2)
			assert.Equal(t, c.status, b.subscriber("alice").Status)
			assert.Equal(t, c.rate, b.subscriber("alice").Profile.Rate.DownloadKbps)
			assert.Equal(t, []linegate.ChangeKind{c.push}, b.world.pushes["alice"])
			assert.Contains(t, b.run(brief("3", linegate.OrderSuspend, "alice")).Result.Error, "suspended already")
			assert.Contains(t, b.run(brief("4", linegate.OrderChange, "alice")).Result.Error, "resume it first")
			require.Equal(t, linegate.OrderDone, b.run(brief("5", linegate.OrderResume, "alice")).State)
			assert.Equal(t, linegate.StatusActive, b.subscriber("alice").Status)
			assert.Equal(t, uint32(100000), b.subscriber("alice").Profile.Rate.DownloadKbps)
			back := linegate.ChangeResume
			if c.push == linegate.ChangeRate {
				back = linegate.ChangeRate
			}
			assert.Equal(t, []linegate.ChangeKind{c.push, back}, b.world.pushes["alice"])
			assert.Contains(t, b.run(brief("6", linegate.OrderResume, "alice")).Result.Error, "is not suspended")
		})
	}
}

func TestReleasedAddressesWaitOutTheirQuarantineAndDifferencesAreFound(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	b := newBench(t, func(o *Options) { o.Now = func() time.Time { return now } })
	require.Equal(t, linegate.OrderDone, b.run(small("alice")).State)
	end := brief("2", linegate.OrderDeprovision, "alice")
	end.Quarantine = 48 * time.Hour
	lines, err := Preview(t.Context(), b.engine.options, end)
	require.NoError(t, err)
	assert.Len(t, lines, 7)
	require.Equal(t, linegate.OrderDone, b.run(end).State)
	assert.Len(t, b.world.quarantine, 2)
	found, err := Reconcile(t.Context(), b.engine.options, false)
	require.NoError(t, err)
	assert.Empty(t, found)
	assert.Len(t, b.world.quarantine, 2)
	now = now.Add(49 * time.Hour)
	found, err = Reconcile(t.Context(), b.engine.options, false)
	require.NoError(t, err)
	assert.Len(t, found, 2)
	assert.Empty(t, b.world.quarantine)

	// A request that was given up on came through late; another was never made; and
	// somebody deleted an object by hand.
	_, err = b.world.allocate(linegate.AddressClaim{Key: "svc-late/ipv4", Slot: linegate.SlotIPv4})
	require.NoError(t, err)
	lost := linegate.AddressClaim{Key: "svc-lost/ipv4", Tenant: tenant, Username: "bob", Slot: linegate.SlotIPv4}
	require.NoError(t, b.store.PutAllocation(t.Context(), linegate.AllocationRecord{Claim: lost, State: linegate.AllocationIntended, Updated: now}))
	gone := linegate.AllocationRecord{Claim: linegate.AddressClaim{Key: "svc-gone/ipv4", Tenant: tenant, Username: "carol"}, State: linegate.AllocationHeld, Updated: now}
	require.NoError(t, b.store.PutAllocation(t.Context(), gone))
	now = now.Add(2 * Grace)
	for _, repair := range []bool{false, true} {
		found, err = Reconcile(t.Context(), b.engine.options, repair)
		require.NoError(t, err)
		assert.ElementsMatch(t, []string{"held in NetBox, and no order knows it", "asked for long ago, and never given", "in use, and missing in NetBox: somebody may be given it again"}, problems(found))
	}
	found, err = Reconcile(t.Context(), b.engine.options, true)
	require.NoError(t, err)
	assert.Equal(t, []string{"in use, and missing in NetBox: somebody may be given it again"}, problems(found), "what was lost is not forgotten")
	assert.Empty(t, b.world.allocations)
	options := b.engine.options
	options.Addresses = nil
	_, err = Reconcile(t.Context(), options, false)
	require.ErrorIs(t, err, linegate.ErrRefused)
}

func problems(found []linegate.Finding) (texts []string) {
	for _, f := range found {
		texts = append(texts, f.Problem)
	}
	return texts
}

func TestAPreviewTellsEverySystemAndChangesNothing(t *testing.T) {
	b := newBench(t, nil)
	order := full("1", "alice")
	order.Set["static_ipv4"] = "203.0.113.7"
	lines, err := Preview(t.Context(), b.engine.options, order)
	require.NoError(t, err)
	texts := map[string]bool{}
	for _, line := range lines {
		texts[line.System+": "+line.Text] = true
		assert.NotContains(t, line.Text, "secret-alice")
	}
	for _, want := range []string{
		"netbox: nothing for ipv4: 203.0.113.7 is fixed", "netbox: allocate a /56 for delegated_prefix under key " + serviceID("acme/1") + "/delegated_prefix",
		"onu: ABCD12345678 port 1: service VLAN of the pool, inner VLAN of the pool, down 100000 kbit/s, up 20000 kbit/s",
		"store: assign the next VLAN of pool internet behind olt-1 to " + serviceID("acme/1"),
	} {
		assert.True(t, texts[want], "%s is missing in %v", want, lines)
	}
	assert.Nil(t, b.subscriber("alice"))
	assert.Empty(t, b.world.allocations)
	held, err := AllocatePrefix(t.Context(), b.engine.options, linegate.AddressClaim{Key: "api/acme/alice", Tenant: tenant, Username: "alice", Slot: linegate.SlotDelegatedPrefix, Length: 60})
	require.NoError(t, err)
	assert.Equal(t, 60, held.Prefix.Bits())
}
