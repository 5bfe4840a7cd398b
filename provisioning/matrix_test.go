package provisioning

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"linegate"
	"linegate/store/sqlite"
)

// plot is one workflow under test: the orders that come before it, and the call
// that is refused to make it turn back.
type plot struct {
	name   string
	before []func(username string) linegate.Order
	order  func(username string) linegate.Order
	poison string
}

func plots() []plot {
	suspend := func(username string) linegate.Order { return brief("s-"+username, linegate.OrderSuspend, username) }
	return []plot{
		{name: "provision", order: small, poison: "put service"},
		{name: "suspend", before: orders(small), order: suspend, poison: "put service"},
		{name: "resume", before: orders(small, suspend), poison: "put service",
			order: func(username string) linegate.Order { return brief("r-"+username, linegate.OrderResume, username) }},
		{name: "change", before: orders(small), poison: "put service", order: changed},
		{name: "deprovision", before: orders(small), poison: "onu remove",
			order: func(username string) linegate.Order { return brief("d-"+username, linegate.OrderDeprovision, username) }},
	}
}

func orders(all ...func(string) linegate.Order) []func(string) linegate.Order { return all }

func brief(key string, kind linegate.OrderKind, username string) linegate.Order {
	return linegate.Order{Key: key, Kind: kind, Tenant: tenant, Username: username, Actor: "test"}
}

// small is an order for everything, with no more addresses than make a difference.
func small(username string) linegate.Order {
	order := full("p-"+username, username)
	order.Addresses = linegate.AddressWishes{IPv4: true, DelegatedPrefix: 56}
	return order
}

// changed gives the subscriber another rate, address, VLAN and ONU.
func changed(username string) linegate.Order {
	order := brief("c-"+username, linegate.OrderChange, username)
	order.Set = map[string]string{"download_kbps": "50000", "static_ipv4": ""}
	order.Addresses.IPv4 = true
	order.VLAN = linegate.VLANWish{Pool: "business", OLT: "olt-1"}
	order.ONU = &linegate.ONUWish{Serial: "ABCD87654321", UNI: 1}
	return order
}

// trace is all that the store and the world know about a subscriber. Two that are
// equal leave nothing between them.
type trace struct {
	Subscriber  map[string]string
	Service     string
	Allocations []string
	Booked      []string
	VLANs       []string
	ONU, CPE    string
	Claims      int
}

// traceOf returns what there is of a subscriber whose service is the given one.
func traceOf(ctx context.Context, t *testing.T, s *sqlite.Store, w *world, username string) trace {
	t.Helper()
	found := trace{Subscriber: map[string]string{}}
	subscriber, err := s.Subscriber(ctx, tenant, username)
	if err == nil {
		for _, field := range linegate.Fields() {
			found.Subscriber[field.Name] = field.Get(subscriber)
		}
		found.Subscriber["password"] = subscriber.Credential.Value.Reveal()
	}
	service := serviceID(tenant + "/p-" + username)
	require.NoError(t, s.Services(ctx, tenant, func(r linegate.Service) error {
		if r.Username == username {
			metadata, err := json.Marshal(r.Metadata)
			found.Service += fmt.Sprint(r.ID, " ", r.State, " ", r.OrderID, " ", string(metadata), err)
		}
		return nil
	}))
	require.NoError(t, s.Allocations(ctx, func(r linegate.AllocationRecord) error {
		if r.Claim.Username == username {
			found.Booked = append(found.Booked, fmt.Sprint(r.Claim.Key, " ", r.State, " ", r.Allocation.Prefix))
		}
		return nil
	}))
	require.NoError(t, s.VLANAssignments(ctx, tenant, func(a linegate.VLANAssignment) error {
		if strings.HasPrefix(a.Key, service) {
			found.VLANs = append(found.VLANs, fmt.Sprint(a))
		}
		return nil
	}))
	require.NoError(t, s.Claims(ctx, func(_, claimed, _ string) error {
		if claimed == username {
			found.Claims++
		}
		return nil
	}))
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, key := range slices.Sorted(maps.Keys(w.allocations)) {
		if strings.HasPrefix(key, service+"/") {
			found.Allocations = append(found.Allocations, key+" held "+w.allocations[key].Prefix.String())
		}
	}
	if onu, has := w.onus[service]; has {
		found.ONU = fmt.Sprint(onu)
	}
	if cpe, has := w.cpes["cpe-"+username]; has {
		found.CPE = fmt.Sprint(cpe)
	}
	return found
}

// whole reports what of a finished trace does not fit together.
func (f trace) whole(t *testing.T, plot plot, label string) {
	t.Helper()
	assert.Zero(t, f.Claims, label)
	assert.Equal(t, f.Allocations, f.bookedHeld(), "%s: the book and NetBox agree", label)
	if plot.name == "deprovision" {
		assert.Empty(t, f.Subscriber, label)
		assert.Empty(t, f.Allocations, label)
		assert.Empty(t, f.VLANs, label)
		assert.Empty(t, f.ONU+f.CPE, label)
		assert.Contains(t, f.Service, "terminated", label)
		return
	}
	assert.Len(t, f.Allocations, 2, label)
	assert.Len(t, f.VLANs, 1, label)
	for _, allocation := range f.Allocations {
		_, prefix, _ := strings.Cut(allocation, " held ")
		assert.Contains(t, []string{f.Subscriber["static_ipv4"] + "/32", f.Subscriber["delegated_ipv6_prefix"]}, prefix, label)
		assert.Contains(t, f.Service, prefix, label)
	}
	assert.Contains(t, f.VLANs[0], f.Subscriber["service_vlan"], label)
	assert.Contains(t, f.ONU, f.Subscriber["service_vlan"]+" "+f.Subscriber["inner_vlan"], label)
	assert.Contains(t, f.CPE, f.Subscriber["service_vlan"]+" "+f.Subscriber["inner_vlan"], label)
	want := map[string]string{"provision": "active", "suspend": "suspended", "resume": "active", "change": "active"}
	assert.Equal(t, want[plot.name], f.Subscriber["status"], label)
	assert.Contains(t, f.Service, want[plot.name], label)
}

func (f trace) bookedHeld() (held []string) {
	for _, booked := range f.Booked {
		if strings.Contains(booked, " held ") {
			held = append(held, booked)
		} else {
			held = append(held, "not held: "+booked)
		}
	}
	return held
}

// checkEnd says whether an order that a mishap happened to ended well: done whole,
// or undone without a trace.
func checkEnd(ctx context.Context, t *testing.T, s *sqlite.Store, w *world, p plot, username string, before trace, ended linegate.OrderState, label string) {
	t.Helper()
	after := traceOf(ctx, t, s, w, username)
	switch ended {
	case linegate.OrderDone:
		after.whole(t, p, label)
	case linegate.OrderUndone:
		assert.Equal(t, before, after, "%s: undone without a trace", label)
	default:
		t.Errorf("%s: it ended %s", label, ended)
	}
}

// prepare carries out what comes before the plot's own order.
func (b *bench) prepare(p plot, username string) {
	b.Helper()
	for _, order := range p.before {
		standing := b.run(order(username))
		require.Equal(b, linegate.OrderDone, standing.State, "%+v", standing)
	}
}

// act watches the plot's own order with a mood, and returns how it ended.
func (b *bench) act(m *moody, p plot, username string, now mood) Standing {
	b.Helper()
	m.watch(username, OrderID(p.order(username)), []string{serviceID(tenant + "/p-" + username)}, now)
	id, err := b.engine.Submit(b.Context(), p.order(username))
	require.NoError(b, err)
	return b.settle(id)
}

// settle waits until an order ended; one that is stuck goes on by itself.
func (b *bench) settle(id string) Standing {
	b.Helper()
	for {
		standing, err := b.engine.Await(b.Context(), id)
		require.NoError(b, err)
		if standing.State != linegate.OrderStuck {
			return standing
		}
	}
}

// Every call of every workflow is refused, left without an answer, and answered
// without the answer arriving, on the way forward and on the way back.
func TestEveryMishapEndsDoneOrUndone(t *testing.T) {
	m := newMoody()
	b := newBench(t, m.adjust)
	require.NoError(t, furnishBusiness(t.Context(), b.store))
	var cases atomic.Int32
	t.Cleanup(func() { t.Logf("%d cases", cases.Load()) })
	for _, p := range plots() {
		for _, poison := range []string{"", p.poison} {
			t.Run(p.name+turned(poison), func(t *testing.T) {
				t.Parallel()
				cases.Add(b.on(t).mishaps(m, p, poison))
			})
		}
	}
}

func turned(poison string) string {
	if poison == "" {
		return " forward"
	}
	return " and back"
}

// mishaps tries each mishap at each call, and returns how many cases that were. All
// orders are under way at once.
func (b *bench) mishaps(m *moody, p plot, poison string) int32 {
	first, last := b.span(m, p, poison)
	cases := map[string]mood{}
	for at := first; at <= last; at++ {
		for _, what := range []mishap{refusal, timeout, lostAnswer} {
			cases[fmt.Sprintf("%s-%d-%d-%d", p.name, len(poison), at, len(what))] = mood{At: at, Mishap: what, Poison: poison}
		}
	}
	for _, earlier := range p.before {
		for _, standing := range b.all(cases, earlier) {
			require.Equal(b, linegate.OrderDone, standing.State, "%+v", standing)
		}
	}
	before := map[string]trace{}
	for username, now := range cases {
		before[username] = traceOf(b.Context(), b.T, b.store, b.world, username)
		m.watch(username, OrderID(p.order(username)), []string{serviceID(tenant + "/p-" + username)}, now)
	}
	for username, ended := range b.all(cases, p.order) {
		label := fmt.Sprintf("%s%s: %s at call %d of %v", p.name, turned(poison), cases[username].Mishap, cases[username].At, m.made(username))
		checkEnd(b.Context(), b.T, b.store, b.world, p, username, before[username], ended.State, label)
		if poison != "" {
			assert.Equal(b, linegate.OrderUndone, ended.State, label)
		}
	}
	return int32(len(cases))
}

// all carries out the same order for every username, and returns how they ended.
func (b *bench) all(cases map[string]mood, order func(string) linegate.Order) map[string]Standing {
	b.Helper()
	ended := map[string]Standing{}
	for username := range cases {
		_, err := b.engine.Submit(b.Context(), order(username))
		require.NoError(b, err)
	}
	for username := range cases {
		ended[username] = b.settle(OrderID(order(username)))
	}
	return ended
}

// span runs the plot without a mishap, checks it, and returns the first and the
// last call to try: all on the way forward, or those after the turn.
func (b *bench) span(m *moody, p plot, poison string) (first, last int) {
	b.Helper()
	username := fmt.Sprintf("%s-span-%d", p.name, len(poison))
	b.prepare(p, username)
	before := traceOf(b.Context(), b.T, b.store, b.world, username)
	ended := b.act(m, p, username, mood{Poison: poison})
	calls := m.made(username)
	checkEnd(b.Context(), b.T, b.store, b.world, p, username, before, ended.State, p.name)
	if poison == "" {
		require.Equal(b, linegate.OrderDone, ended.State, "%+v", ended)
		return 1, len(calls)
	}
	require.Equal(b, linegate.OrderUndone, ended.State, "%+v", ended)
	return slices.Index(calls, poison) + 1, len(calls)
}

func furnishBusiness(ctx context.Context, s *sqlite.Store) error {
	return s.PutVLANPool(ctx, linegate.VLANPool{Tenant: tenant, OLT: "olt-1", Name: "business", Ranges: []linegate.VLANRange{
		{First: 200, Last: 299, InnerFirst: 1, InnerLast: 4000},
	}})
}
