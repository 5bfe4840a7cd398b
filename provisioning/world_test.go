package provisioning

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"

	"linegate"
)

// world is every foreign system at once, in memory. It keeps what a real one would
// keep and refuses what a real one would refuse.
type world struct {
	mu          sync.Mutex
	allocations map[string]linegate.Allocation
	quarantine  map[int64]linegate.Allocation
	associated  map[string]netip.Addr
	onus        map[string]linegate.ONUService
	cpes        map[string]linegate.CPESettings
	pushes      map[string][]linegate.ChangeKind
	offline     map[string]int // by device: how often it is still not there
	places      int            // of the IPv4 pool
	lastID      int64
}

func newWorld() *world {
	return &world{
		allocations: map[string]linegate.Allocation{}, quarantine: map[int64]linegate.Allocation{}, associated: map[string]netip.Addr{},
		onus: map[string]linegate.ONUService{}, cpes: map[string]linegate.CPESettings{}, pushes: map[string][]linegate.ChangeKind{},
		offline: map[string]int{}, places: 100_000,
	}
}

// asked is what a call says, whichever it is.
type asked struct {
	Claim            linegate.AddressClaim
	Allocation       linegate.Allocation
	ONU, WasONU      linegate.ONUService
	CPE              linegate.CPESettings
	Tenant, Username string
	Kind             linegate.ChangeKind
	Quarantine       bool
}

// subject is the username or the service that the call is about.
func (a asked) subject() string {
	return a.Username + a.ONU.ID + a.CPE.ServiceID + a.Claim.Username
}

// told is what a call returns, whichever it is.
type told struct {
	Allocation linegate.Allocation
	All        []linegate.Allocation
	ONU        linegate.ONUResult
	CPE        linegate.CPEResult
	Plan       linegate.CPEPlan
	Sessions   int
}

// handler answers a call of any system.
type handler func(ctx context.Context, method string, a asked) (told, error)

func (w *world) handle(_ context.Context, method string, a asked) (t told, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch method {
	case "allocate":
		t.Allocation, err = w.allocate(a.Claim)
	case "confirm":
		if w.allocations[a.Claim.Key] != a.Allocation {
			err = fmt.Errorf("%s is not held: %w", a.Claim.Key, linegate.ErrNotFound)
		}
	case "release":
		if held, has := w.allocations[a.Claim.Key]; has && a.Quarantine {
			w.quarantine[held.ID] = held
		}
		delete(w.allocations, a.Claim.Key)
	case "free":
		delete(w.quarantine, a.Allocation.ID)
	case "associate":
		w.associated[a.Claim.Key] = a.Claim.Fixed
	case "dissociate":
		delete(w.associated, a.Claim.Key)
	case "managed":
		t.All = slices.Collect(maps.Values(w.allocations))
	case "onu provision":
		w.onus[a.ONU.ID], t.ONU = a.ONU, linegate.ONUResult{Installed: true}
	case "onu change":
		if a.ONU.ID != a.WasONU.ID {
			return t, fmt.Errorf("change of another service: %w", linegate.ErrRefused)
		}
		w.onus[a.ONU.ID], t.ONU = a.ONU, linegate.ONUResult{Installed: true}
	case "onu remove":
		delete(w.onus, a.ONU.ID)
	case "onu verify":
		_, t.ONU.Installed = w.onus[a.ONU.ID]
	case "cpe plan":
		t.Plan, err = w.plan(a.CPE)
	case "cpe apply", "cpe await":
		if t.CPE.State = linegate.CPEApplied; isOffline(strings.TrimPrefix(a.CPE.Device, "cpe-")) && method == "cpe apply" {
			t.CPE.State = linegate.CPEWaiting
		} else if w.offline[a.CPE.Device] > 0 {
			w.offline[a.CPE.Device]--
			t.CPE.State = linegate.CPEWaiting
		}
		w.cpes[a.CPE.Device] = a.CPE
	case "cpe remove":
		delete(w.cpes, a.CPE.Device)
	case "push":
		w.pushes[a.Username] = append(w.pushes[a.Username], a.Kind)
		t.Sessions = 1
	default:
		err = errors.New("no such method: " + method)
	}
	return t, err
}

// look implements scene.
func (w *world) look(_ *testing.T, username string, _ *linegate.Service, found *trace) {
	w.mu.Lock()
	defer w.mu.Unlock()
	service := serviceOf(username)
	for key, held := range w.allocations {
		if strings.HasPrefix(key, service+"/") {
			found.Allocations = append(found.Allocations, key+" held "+held.Prefix.String())
		}
	}
	for _, held := range w.quarantine {
		if strings.HasPrefix(held.Key, service+"/") {
			found.Quarantined++
		}
	}
	for key, address := range w.associated {
		if strings.HasPrefix(key, service+"/") {
			found.Associated = fmt.Sprint(address, " of ", key)
		}
	}
	if onu, has := w.onus[service]; has {
		found.ONU = fmt.Sprint(onu)
	}
	if cpe, has := w.cpes["cpe-"+username]; has {
		found.CPE = fmt.Sprint(cpe)
	}
}

func (w *world) allocate(claim linegate.AddressClaim) (linegate.Allocation, error) {
	if held, has := w.allocations[claim.Key]; has {
		return held, nil
	}
	if claim.Slot == linegate.SlotIPv4 && w.places == 0 {
		return linegate.Allocation{}, fmt.Errorf("100.64.0.0/10: nothing is left: %w", linegate.ErrExhausted)
	}
	w.lastID++
	held := linegate.Allocation{Key: claim.Key, Slot: claim.Slot, ID: w.lastID, Pool: "test"}
	n := w.lastID
	switch claim.Slot {
	case linegate.SlotIPv4:
		w.places--
		held.Prefix = netip.PrefixFrom(netip.AddrFrom4([4]byte{100, 64 + byte(n>>16), byte(n >> 8), byte(n)}), 32)
	case linegate.SlotIPv6:
		held.Prefix = netip.MustParsePrefix(fmt.Sprintf("2001:db8:1::%x/128", n))
	default:
		held.Prefix = netip.MustParsePrefix(fmt.Sprintf("2001:db8:%x:%x::/%d", 0x1000+int(claim.Slot[0]), n<<8&0xffff, claim.Length))
	}
	if claim.Fixed.IsValid() {
		held.Prefix = whole(claim.Fixed)
	}
	w.allocations[claim.Key] = held
	return held, nil
}

func (w *world) plan(c linegate.CPESettings) (linegate.CPEPlan, error) {
	switch {
	case c.Device == "unknown":
		return linegate.CPEPlan{}, fmt.Errorf("cpe %s: %w", c.Device, linegate.ErrNotFound)
	case strings.HasPrefix(c.Device, "v4only") && c.IPv6Mode != linegate.IPv6None:
		return linegate.CPEPlan{}, fmt.Errorf("model X has no path for IPv6: %w", linegate.ErrUnsupported)
	}
	return linegate.CPEPlan{Device: c.Device, Model: "test", Writes: []linegate.CPEWrite{{Path: "Device.VLANID", Value: fmt.Sprint(c.ServiceVLAN), Type: "xsd:unsignedInt"}}}, nil
}

// The ports of a world, through a handler that may be elsewhere or in a bad mood.
type (
	addressPort struct{ handle handler }
	onuPort     struct{ handle handler }
	cpePort     struct{ handle handler }
	changePort  struct{ handle handler }
)

func (p addressPort) Allocate(ctx context.Context, c linegate.AddressClaim) (linegate.Allocation, error) {
	t, err := p.handle(ctx, "allocate", asked{Claim: c})
	return t.Allocation, err
}

func (p addressPort) Confirm(ctx context.Context, c linegate.AddressClaim, a linegate.Allocation) error {
	_, err := p.handle(ctx, "confirm", asked{Claim: c, Allocation: a})
	return err
}

func (p addressPort) Release(ctx context.Context, c linegate.AddressClaim, quarantine bool) error {
	_, err := p.handle(ctx, "release", asked{Claim: c, Quarantine: quarantine})
	return err
}

func (p addressPort) Free(ctx context.Context, a linegate.Allocation) error {
	_, err := p.handle(ctx, "free", asked{Allocation: a})
	return err
}

func (p addressPort) Associate(ctx context.Context, c linegate.AddressClaim) error {
	_, err := p.handle(ctx, "associate", asked{Claim: c})
	return err
}

func (p addressPort) Dissociate(ctx context.Context, c linegate.AddressClaim) error {
	_, err := p.handle(ctx, "dissociate", asked{Claim: c})
	return err
}

func (p addressPort) Managed(ctx context.Context, fn func(linegate.Allocation) error) error {
	t, err := p.handle(ctx, "managed", asked{})
	for _, a := range t.All {
		if err := fn(a); err != nil {
			return err
		}
	}
	return err
}

func (p onuPort) Provision(ctx context.Context, s linegate.ONUService) (linegate.ONUResult, error) {
	t, err := p.handle(ctx, "onu provision", asked{ONU: s})
	return t.ONU, err
}

func (p onuPort) Change(ctx context.Context, was, s linegate.ONUService) (linegate.ONUResult, error) {
	t, err := p.handle(ctx, "onu change", asked{WasONU: was, ONU: s})
	return t.ONU, err
}

func (p onuPort) Remove(ctx context.Context, s linegate.ONUService) error {
	_, err := p.handle(ctx, "onu remove", asked{ONU: s})
	return err
}

func (p onuPort) Verify(ctx context.Context, s linegate.ONUService) (linegate.ONUResult, error) {
	t, err := p.handle(ctx, "onu verify", asked{ONU: s})
	return t.ONU, err
}

func (p cpePort) Plan(ctx context.Context, c linegate.CPESettings) (linegate.CPEPlan, error) {
	t, err := p.handle(ctx, "cpe plan", asked{CPE: c})
	return t.Plan, err
}

func (p cpePort) Apply(ctx context.Context, c linegate.CPESettings) (linegate.CPEResult, error) {
	t, err := p.handle(ctx, "cpe apply", asked{CPE: c})
	return t.CPE, err
}

func (p cpePort) Await(ctx context.Context, c linegate.CPESettings) (linegate.CPEResult, error) {
	t, err := p.handle(ctx, "cpe await", asked{CPE: c})
	return t.CPE, err
}

func (p cpePort) Remove(ctx context.Context, c linegate.CPESettings) (linegate.CPEResult, error) {
	t, err := p.handle(ctx, "cpe remove", asked{CPE: c})
	return t.CPE, err
}

func (p changePort) Push(ctx context.Context, tenant, username string, kind linegate.ChangeKind) (int, error) {
	t, err := p.handle(ctx, "push", asked{Tenant: tenant, Username: username, Kind: kind})
	return t.Sessions, err
}
