package provisioning

import (
	"net/netip"
	"strings"
	"time"

	"linegate"
)

// plot is one workflow under test: the orders that come before it, and the call
// that is refused to make it turn back.
type plot struct {
	name       string
	kind       linegate.OrderKind
	before     []func(username string) linegate.Order
	order      func(username string) linegate.Order
	poison     string
	fixed      bool // the IPv4 address is one that nobody allocates
	quarantine bool // what is given back is kept back
}

// plots are all workflows, each with everything that it can have to do.
func plots() []plot {
	suspend := func(username string) linegate.Order { return brief("s-"+username, linegate.OrderSuspend, username) }
	down := func(username string) linegate.Order { return brief("d-"+username, linegate.OrderDeprovision, username) }
	later := func(username string) linegate.Order {
		order := down(username)
		order.Quarantine = time.Hour
		return order
	}
	return []plot{
		{name: "provision", kind: linegate.OrderProvision, order: small, poison: "put service"},
		{name: "fixed", kind: linegate.OrderProvision, order: fixed, poison: "put service", fixed: true},
		{name: offline, kind: linegate.OrderProvision, order: small, poison: "put service"},
		{name: "suspend", kind: linegate.OrderSuspend, before: orders(small), order: suspend, poison: "put service"},
		{name: "resume", kind: linegate.OrderResume, before: orders(small, suspend), poison: "put service",
			order: func(username string) linegate.Order { return brief("r-"+username, linegate.OrderResume, username) }},
		{name: "change", kind: linegate.OrderChange, before: orders(small), poison: "put service", order: changed},
		{name: "deprovision", kind: linegate.OrderDeprovision, before: orders(small), poison: "onu remove", order: down},
		{name: "quarantine", kind: linegate.OrderDeprovision, before: orders(small), poison: "onu remove", order: later, quarantine: true},
	}
}

// offline is the plot in which the CPE is off the net at first.
const offline = "offline"

func isOffline(username string) bool { return strings.HasPrefix(username, offline) }

func orders(all ...func(string) linegate.Order) []func(string) linegate.Order { return all }

func brief(key string, kind linegate.OrderKind, username string) linegate.Order {
	return linegate.Order{Key: key, Kind: kind, Tenant: tenant, Username: username, Actor: "test"}
}

// small is an order for everything, with no more addresses than make a difference.
func small(username string) linegate.Order {
	order := full("p-"+username, username)
	order.Addresses = linegate.AddressWishes{IPv4: true, DelegatedPrefix: 56}
	order.ONU.Serial, order.CPE.WithoutQinQ = "BBSM00000001", true
	return order
}

var fixedAddress = netip.MustParseAddr("203.0.113.7")

// fixed is small with an address that the profile brings along.
func fixed(username string) linegate.Order {
	order := small(username)
	order.Set["static_ipv4"], order.Addresses.IPv4 = fixedAddress.String(), false
	return order
}

// changed gives the subscriber another rate, address, VLAN and ONU.
func changed(username string) linegate.Order {
	order := brief("c-"+username, linegate.OrderChange, username)
	order.Set = map[string]string{"download_kbps": "50000", "static_ipv4": ""}
	order.Addresses.IPv4 = true
	order.VLAN = linegate.VLANWish{Pool: "business", OLT: "olt-1"}
	order.ONU = &linegate.ONUWish{Serial: "BBSM00000002", UNI: 1}
	return order
}

func plotNamed(name string) plot {
	for _, p := range plots() {
		if p.name == name {
			return p
		}
	}
	return plot{}
}

// course is a plot in one direction: forward, or to its turn and back.
type course struct {
	plot
	back bool
}

func courses() (all []course) {
	for _, p := range plots() {
		all = append(all, course{p, false}, course{p, true})
	}
	return all
}

func (c course) String() string {
	if c.back {
		return c.name + " and back"
	}
	return c.name + " forward"
}

// user is a name that begins with the plot's.
func (c course) user(rest string) string {
	return strings.ReplaceAll(c.String(), " ", "-") + "-" + rest
}

// turn is the call that is always refused, empty when there is none.
func (c course) turn() string {
	if c.back {
		return c.poison
	}
	return ""
}
