package provisioning

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"linegate"
)

// trace is all that the store and the foreign systems know about a subscriber. Two
// that are equal leave nothing between them.
type trace struct {
	Subscriber  map[string]string
	Service     string
	Allocations []string
	Booked      []string
	VLANs       []string
	ONU, CPE    string // empty: nothing of ours is there
	Associated  string
	Quarantined int
	Claims      int
	Loose       []string // what should never be left anywhere
}

// scene is the foreign systems of a test.
type scene interface {
	handle(ctx context.Context, method string, a asked) (told, error)
	// look fills in what the systems have of a subscriber, whose service has this
	// record, if any.
	look(t *testing.T, username string, record *linegate.Service, found *trace)
}

// records are all that a store has of services, read at once.
type records struct {
	services map[string][]linegate.Service          // by username
	booked   map[string][]linegate.AllocationRecord // by username
	vlans    map[string][]linegate.VLANAssignment   // by service
	claims   map[string]int                         // by username
}

func (b *bench) records() records {
	b.Helper()
	r := records{
		services: map[string][]linegate.Service{}, booked: map[string][]linegate.AllocationRecord{},
		vlans: map[string][]linegate.VLANAssignment{}, claims: map[string]int{},
	}
	ctx := b.Context()
	require.NoError(b, b.store.Services(ctx, tenant, func(s linegate.Service) error {
		r.services[s.Username] = append(r.services[s.Username], s)
		return nil
	}))
	require.NoError(b, b.store.Allocations(ctx, func(a linegate.AllocationRecord) error {
		r.booked[a.Claim.Username] = append(r.booked[a.Claim.Username], a)
		return nil
	}))
	require.NoError(b, b.store.VLANAssignments(ctx, tenant, func(a linegate.VLANAssignment) error {
		service, _, _ := strings.Cut(a.Key, "/")
		r.vlans[service] = append(r.vlans[service], a)
		return nil
	}))
	require.NoError(b, b.store.Claims(ctx, func(_, username, _ string) error { r.claims[username]++; return nil }))
	return r
}

// trace returns what there is of a subscriber.
func (b *bench) trace(r records, username string) trace {
	b.Helper()
	found := trace{Subscriber: map[string]string{}, Claims: r.claims[linegate.ComparableUsername(username)]}
	subscriber, err := b.store.Subscriber(b.Context(), tenant, username)
	if err == nil {
		for _, field := range linegate.Fields() {
			found.Subscriber[field.Name] = field.Get(subscriber)
		}
		found.Subscriber["password"] = subscriber.Credential.Value.Reveal()
	} else {
		require.ErrorIs(b, err, linegate.ErrNotFound)
	}
	var newest *linegate.Service
	for _, service := range r.services[username] {
		metadata, err := json.Marshal(service.Metadata)
		require.NoError(b, err)
		found.Service += fmt.Sprint(service.ID, " ", service.State, " ", service.OrderID, " ", string(metadata))
		newest = &service
	}
	for _, record := range r.booked[username] {
		found.Booked = append(found.Booked, fmt.Sprint(record.Claim.Key, " ", record.State, " ", record.Allocation.Prefix))
	}
	for _, assignment := range r.vlans[serviceOf(username)] {
		found.VLANs = append(found.VLANs, fmt.Sprint(assignment))
	}
	b.scene.look(b.T, username, newest, &found)
	slices.Sort(found.Allocations)
	return found
}

// serviceOf is the service of a subscriber of a plot.
func serviceOf(username string) string { return serviceID(tenant + "/p-" + username) }

// whole reports what of a finished trace does not fit together.
func (f trace) whole(t *testing.T, p plot, label string) {
	t.Helper()
	assert.Zero(t, f.Claims, label)
	assert.Empty(t, f.Loose, label)
	if p.kind == linegate.OrderDeprovision {
		f.gone(t, p, label)
		return
	}
	assert.Equal(t, f.Allocations, f.bookedHeld(), "%s: the book and NetBox agree", label)
	held := 2
	if p.fixed {
		held = 1
		assert.Contains(t, f.Associated, fixedAddress.String(), label)
	}
	assert.Len(t, f.Allocations, held, label)
	for _, allocation := range f.Allocations {
		_, prefix, _ := strings.Cut(allocation, " held ")
		assert.Contains(t, []string{f.Subscriber["static_ipv4"] + "/32", f.Subscriber["delegated_ipv6_prefix"]}, prefix, label)
		assert.Contains(t, f.Service, prefix, label)
	}
	if assert.Len(t, f.VLANs, 1, label) {
		assert.Contains(t, f.VLANs[0], f.Subscriber["service_vlan"], label)
	}
	tags := f.Subscriber["service_vlan"] + " " + f.Subscriber["inner_vlan"]
	assert.Contains(t, f.ONU, tags, label)
	assert.Contains(t, f.CPE, tags, label)
	state := string(linegate.ServiceActive)
	if p.kind == linegate.OrderSuspend {
		state = string(linegate.ServiceSuspended)
	}
	assert.Equal(t, state, f.Subscriber["status"], label)
	assert.Contains(t, f.Service, state, label)
}

// gone reports what a service that was taken down left behind.
func (f trace) gone(t *testing.T, p plot, label string) {
	t.Helper()
	assert.Empty(t, f.Subscriber, label)
	assert.Empty(t, f.Allocations, label)
	assert.Empty(t, f.VLANs, label)
	assert.Empty(t, f.ONU+f.CPE+f.Associated, label)
	assert.Contains(t, f.Service, linegate.ServiceTerminated, label)
	kept := 0
	if p.quarantine {
		kept = 2
	}
	assert.Equal(t, kept, f.Quarantined, label)
	assert.Len(t, f.Booked, kept, label)
	for _, booked := range f.Booked {
		assert.Contains(t, booked, linegate.AllocationQuarantined, label)
	}
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
func (b *bench) checkEnd(r records, p plot, username string, before trace, ended linegate.OrderState, label string) {
	b.Helper()
	after := b.trace(r, username)
	switch ended {
	case linegate.OrderDone:
		after.whole(b.T, p, label)
	case linegate.OrderUndone:
		assert.Empty(b, after.Loose, label)
		assert.Equal(b, before, after, "%s: undone without a trace", label)
	default:
		b.Errorf("%s: it ended %s", label, ended)
	}
}
