package provisioning

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"linegate"
	"linegate/provisioning/genieacs"
	"linegate/provisioning/genieacs/genieacstest"
	"linegate/provisioning/netbox"
	"linegate/provisioning/netbox/netboxtest"
	"linegate/provisioning/peertest"
	"linegate/provisioning/voltha"
	pb "linegate/provisioning/voltha/volthapb"
	"linegate/provisioning/voltha/volthatest"
)

// generation is which kinds of the foreign systems there are.
type generation struct {
	Backend voltha.Backend
	NetBox  [3]int
}

// The two generations differ in everything that they can.
var (
	newest = generation{voltha.BackendCore, [3]int{4, 7, 3}}
	oldest = generation{voltha.BackendController, [3]int{3, 0, 0}}
)

// reality is a scene of fakes that are spoken to over the network, by the real
// clients. Every subscriber has systems of its own, so that whose a call is and what
// is left of whom is known.
type reality struct {
	*testing.T
	generation
	known *directory
}

// directory finds the systems of a subscriber by its username or service.
type directory struct {
	mu    sync.Mutex
	peers map[string]*peers
}

// peers are the foreign systems of one subscriber with their clients.
type peers struct {
	clients
	at     endpoints
	netbox *netboxtest.Server
	fixed  int64 // id of the address in NetBox that is known without us
	core   *volthatest.Core
	vgc    *volthatest.VGC
	acs    *genieacstest.Server
}

func newReality(t *testing.T, kinds generation) *reality {
	return &reality{T: t, generation: kinds, known: &directory{peers: map[string]*peers{}}}
}

// on is the reality for a subtest: the systems that it starts end with it.
func (r *reality) on(t *testing.T) *reality {
	return &reality{T: t, generation: r.generation, known: r.known}
}

var (
	ipv4Pool   = netip.MustParsePrefix("100.64.0.0/24")
	prefixPool = netip.MustParsePrefix("2001:db8::/48")
)

// settle starts the systems of a subscriber. A request to them may take so long.
func (r *reality) settle(username string, limit time.Duration) *peers {
	r.Helper()
	p := &peers{netbox: netboxtest.New(r.NetBox, ipv4Pool, prefixPool), acs: genieacstest.Start(r.T)}
	r.Cleanup(p.netbox.Close)
	p.fixed = p.netbox.Add(netip.PrefixFrom(fixedAddress, 24), map[string]any{})
	p.prepareCPE(username)
	p.at = endpoints{
		Backend: r.Backend, NetBox: p.netbox.URL(), Token: netboxtest.Token1, IPv4: ipv4Pool, Prefixes: prefixPool,
		GenieACS: p.acs.URL(), Call: limit,
	}
	if r.Backend == voltha.BackendCore {
		p.core = volthatest.StartCore(r.T, ticking())
		p.at.VOLTHA = p.core.Address()
	} else {
		p.vgc = volthatest.StartVGC(r.T)
		p.at.VOLTHA = p.vgc.URL()
	}
	connected, err := p.at.connect()
	require.NoError(r, err)
	r.Cleanup(func() { assert.NoError(r, connected.onu.Close()) })
	p.clients = *connected
	r.known.mu.Lock()
	defer r.known.mu.Unlock()
	r.known.peers[username], r.known.peers[serviceOf(username)] = p, p
	return p
}

// ticking is a clock that goes on with every look at it: what takes its time in a
// core takes so many calls then, and never any time.
func ticking() func() time.Time {
	var mu sync.Mutex
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	return func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		now = now.Add(60 * time.Millisecond)
		return now
	}
}

const (
	cpeModel = genieacstest.TR098
	cpeWAN   = "InternetGatewayDevice.WANDevice.1.WANConnectionDevice.1.WANIPConnection.1."
	cpeTag   = cpeWAN + "X_HW_VLAN"
	cpeIPv6  = cpeWAN + "X_HW_IPv6Enable"
)

// prepareCPE gives the CPE its name, all parameters that its rule knows, and the
// unprovisioned state.
func (p *peers) prepareCPE(username string) {
	p.acs.SetSerial(cpeModel, "cpe-"+username)
	p.acs.Change(cpeModel, cpeTag, func(v *genieacstest.Parameter) { v.Value = float64(0) })
	p.acs.Change(cpeModel, cpeIPv6, func(v *genieacstest.Parameter) { v.Value = false })
	for _, path := range []string{"X_HW_IPv6.IPv6Address.1.Origin", "X_HW_IPv6.IPv6Prefix.1.Origin"} {
		p.acs.Change(cpeModel, cpeWAN+path, func(v *genieacstest.Parameter) { v.Value = "None" })
	}
	p.acs.Inform(cpeModel)
}

// begin is called when the order of the plot is about to be given.
func (p *peers) begin(username string) {
	if isOffline(username) {
		p.acs.SetOfflineFor(cpeModel, genieacstest.OfflineNoSession, 2)
	}
}

// endpoints are where the systems of a subscriber are reached.
type endpoints struct {
	Backend                  voltha.Backend
	NetBox, VOLTHA, GenieACS string
	Token                    string // of NetBox
	IPv4, Prefixes           netip.Prefix
	Call                     time.Duration
	RealTime                 bool // VOLTHA takes its time
}

// clients are the real ones.
type clients struct {
	addresses *netbox.Client
	onu       voltha.Client
	cpe       *genieacs.Client
}

func (e endpoints) connect() (*clients, error) {
	pools := netBox{ipv4: e.IPv4, prefixes: e.Prefixes}.pools()
	addresses, err := netbox.New(netbox.Options{URL: e.NetBox, Token: linegate.Secret(e.Token), Timeout: e.Call, Pools: pools})
	if err != nil {
		return nil, err
	}
	cpe, err := genieacs.Open(genieacs.Config{URL: e.GenieACS, Call: e.Call})
	if err != nil {
		return nil, err
	}
	line := voltha.Config{Backend: e.Backend, Address: e.VOLTHA, Call: e.Call}
	if !e.RealTime {
		line.Poll, line.Settle = time.Millisecond, time.Nanosecond
	}
	onu, err := voltha.Open(line)
	return &clients{addresses, onu, cpe}, err
}

// handle makes a call with the client that it is for.
func (c *clients) handle(ctx context.Context, method string, a asked) (t told, err error) {
	switch method {
	case "allocate":
		t.Allocation, err = c.addresses.Allocate(ctx, a.Claim)
	case "confirm":
		err = c.addresses.Confirm(ctx, a.Claim, a.Allocation)
	case "release":
		err = c.addresses.Release(ctx, a.Claim, a.Quarantine)
	case "associate":
		err = c.addresses.Associate(ctx, a.Claim)
	case "dissociate":
		err = c.addresses.Dissociate(ctx, a.Claim)
	case "onu provision":
		t.ONU, err = c.onu.Provision(ctx, a.ONU)
	case "onu change":
		t.ONU, err = c.onu.Change(ctx, a.WasONU, a.ONU)
	case "onu remove":
		err = c.onu.Remove(ctx, a.ONU)
	case "cpe plan":
		t.Plan, err = c.cpe.Plan(ctx, a.CPE)
	case "cpe apply":
		t.CPE, err = c.cpe.Apply(ctx, a.CPE)
	case "cpe await":
		t.CPE, err = c.cpe.Await(ctx, a.CPE)
	case "cpe remove":
		t.CPE, err = c.cpe.Remove(ctx, a.CPE)
	case "push":
		t.Sessions = 1
	default:
		err = fmt.Errorf("no such method: %s", method)
	}
	return t, err
}

// of returns the systems of a username or service.
func (r *reality) of(name string) *peers {
	r.known.mu.Lock()
	defer r.known.mu.Unlock()
	return r.known.peers[name]
}

func (r *reality) handle(ctx context.Context, method string, a asked) (told, error) {
	p := r.of(a.subject())
	if p == nil {
		return told{}, fmt.Errorf("%s: %s has no systems: %w", method, a.subject(), linegate.ErrRefused)
	}
	return p.handle(ctx, method, a)
}

// look implements scene.
func (r *reality) look(t *testing.T, username string, record *linegate.Service, found *trace) {
	t.Helper()
	p := r.of(username)
	p.lookAtAddresses(found)
	if isOffline(username) { // what waits for it reaches it with the next inform
		p.acs.SetOffline(cpeModel, genieacstest.Online)
		p.acs.Inform(cpeModel)
	}
	p.lookAtCPE(record, found)
	p.lookAtLine(t, record, found)
}

func (p *peers) lookAtAddresses(found *trace) {
	for key, all := range p.netbox.Held("linegate_key") {
		for _, prefix := range all {
			if prefix.Addr().Is4() { // with the mask of its network in old versions
				prefix = netip.PrefixFrom(prefix.Addr(), 32)
			}
			found.Allocations = append(found.Allocations, key+" held "+prefix.String())
		}
	}
	for _, shown := range p.netbox.Shown("linegate_key", "linegate_subscriber") {
		switch {
		case strings.HasPrefix(shown, fixedAddress.String()):
			if owner := p.netbox.Custom(p.fixed, "linegate_subscriber"); owner != nil {
				found.Associated = fmt.Sprint(fixedAddress, " of ", owner)
			}
		case strings.Contains(shown, " deprecated, key <nil>"):
			found.Quarantined++
		case !strings.Contains(shown, " active, key ") || strings.Contains(shown, "<nil>"):
			found.Loose = append(found.Loose, shown)
		}
	}
}

// lookAtCPE shows nothing of one that is in the unprovisioned state of its model.
func (p *peers) lookAtCPE(record *linegate.Service, found *trace) {
	for _, waits := range p.acs.Pending() {
		found.Loose = append(found.Loose, "task "+waits)
	}
	if failed := p.acs.Failed(); failed > 0 {
		found.Loose = append(found.Loose, fmt.Sprint(failed, " faults of tasks"))
	}
	found.Loose = append(found.Loose, p.acs.Crashes()...)
	if p.acs.Value(cpeModel, cpeTag) == float64(0) && p.acs.Value(cpeModel, cpeIPv6) == false {
		return
	}
	if record != nil && record.Metadata.CPE != nil && p.acs.Value(cpeModel, cpeTag) == float64(record.Metadata.CPE.InnerVLAN) {
		found.CPE = fmt.Sprint(record.Metadata.CPE.ServiceVLAN, " ", record.Metadata.CPE.InnerVLAN, " in force:")
	}
	var words []string
	for path, value := range p.acs.Values(cpeModel) {
		if strings.Contains(path, ".WANDevice.") {
			words = append(words, fmt.Sprint(path, "=", value))
		}
	}
	slices.Sort(words)
	found.CPE += strings.Join(words, "\n")
}

func (p *peers) lookAtLine(t *testing.T, record *linegate.Service, found *trace) {
	t.Helper()
	if p.core != nil {
		found.ONU = p.flows(t, found)
	} else {
		for port, active := range p.vgc.Subscribers() {
			found.ONU += fmt.Sprint(port, " active ", active)
		}
	}
	if record == nil || record.Metadata.ONU == nil || found.ONU == "" {
		return
	}
	service := *record.Metadata.ONU
	seen, err := p.onu.Verify(t.Context(), service)
	require.NoError(t, err)
	if seen.Installed {
		found.ONU = fmt.Sprint(service.ServiceVLAN, " ", service.InnerVLAN, " in force on ", service.Serial, ": ", found.ONU)
	}
}

// flows are those that the core lists, which must be those on the line.
func (p *peers) flows(t *testing.T, found *trace) string {
	t.Helper()
	listed, onWire := encoded(t, p.core.Flows()), encoded(t, p.core.Wire())
	if listed != onWire {
		found.Loose = append(found.Loose, "the line has other flows than the core lists: "+onWire)
	}
	found.Loose = append(found.Loose, p.core.Crashes()...)
	return listed
}

// encoded is a form of flows that compares.
func encoded(t *testing.T, flows []*pb.OfpFlowStats) string {
	t.Helper()
	var words []string
	for _, flow := range flows {
		text, err := proto.MarshalOptions{Deterministic: true}.Marshal(flow)
		require.NoError(t, err)
		words = append(words, fmt.Sprintf("%x", text))
	}
	slices.Sort(words)
	return strings.Join(words, "\n")
}

// faults are those of the three systems, by name.
func (p *peers) faults() map[string]*peertest.Faults {
	all := map[string]*peertest.Faults{"netbox": &p.netbox.Faults, "genieacs": &p.acs.Faults}
	if p.core != nil {
		all["voltha"] = &p.core.Faults
	} else {
		all["voltha"] = &p.vgc.Faults
	}
	return all
}

// counts are how many calls each system has had.
func (p *peers) counts() map[string]int {
	counts := map[string]int{}
	for name, faults := range p.faults() {
		counts[name] = len(faults.Calls())
	}
	return counts
}
