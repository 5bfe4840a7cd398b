package provisioning

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"linegate"
	"linegate/store"
)

// mishap is what happens to one call.
type mishap string

const (
	noMishap   mishap = ""
	refusal    mishap = "error"           // refused, nothing was done
	timeout    mishap = "timeout"         // no answer, nothing was done
	lostAnswer mishap = "unknown outcome" // done, and no answer
	killBefore mishap = "kill -9 before the call"
	killAfter  mishap = "kill -9 after the call"
)

// mood is what happens to the calls of one order.
type mood struct {
	At     int    // the call that the mishap happens to, from 1; 0: none
	Mishap mishap // once
	Poison string // the call that is always refused; empty: none
	Turned func() `json:"-"` // called when it is; nil: nobody is
}

// moody makes calls go wrong as the mood of their order says. It is told about
// every call by all ports.
type moody struct {
	mu     sync.Mutex
	names  map[string]string // what a call names: username, service or order -> username
	moods  map[string]mood
	orders map[string]string // by username, the order whose calls count
	calls  map[string][]string
	once   func(username string) bool // whether the mishap may still happen; it is asked for kills
	kill   func()
}

func newMoody() *moody {
	return &moody{names: map[string]string{}, moods: map[string]mood{}, orders: map[string]string{}, calls: map[string][]string{}}
}

// watch counts the calls of a plot's order from now on, and applies the mood.
func (m *moody) watch(p plot, username string, now mood) {
	m.mu.Lock()
	defer m.mu.Unlock()
	order := OrderID(p.order(username))
	m.moods[username], m.orders[username], m.calls[username] = now, order, nil
	for _, name := range []string{username, order, serviceOf(username)} {
		m.names[name] = username
	}
}

// made returns the calls of the order that is watched.
func (m *moody) made(username string) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.calls[username]
}

// through makes a call, or what the mood makes of it.
func (m *moody) through(subject, method, detail string, act func() error) error {
	happens, poisoned, username := m.next(subject, method, detail)
	switch {
	case happens == killBefore && m.once(username), happens == killAfter && poisoned && m.once(username):
		m.kill()
	case happens == refusal, poisoned:
		return fmt.Errorf("%s: %w", method, linegate.ErrRefused)
	case happens == timeout:
		return context.DeadlineExceeded
	}
	err := act()
	switch {
	case happens == killAfter && m.once(username):
		m.kill()
	case happens == lostAnswer && err == nil:
		return fmt.Errorf("%s: connection reset: %w", method, linegate.ErrOutcomeUnknown)
	}
	return err
}

func (m *moody) next(subject, method, detail string) (happens mishap, poisoned bool, username string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	service, _, _ := strings.Cut(subject, "/") // a key begins with the service
	if username = m.names[service]; username == "" {
		return noMishap, false, ""
	}
	now := m.moods[username]
	m.calls[username] = append(m.calls[username], method)
	if now.At == len(m.calls[username]) {
		happens = now.Mishap
	}
	poisoned = now.Poison == method && (detail == "" || detail == m.orders[username])
	if poisoned && now.Turned != nil {
		now.Turned()
	}
	return happens, poisoned, username
}

// handle wraps the foreign systems.
func (m *moody) handle(inner handler) handler {
	return func(ctx context.Context, method string, a asked) (t told, err error) {
		err = m.through(a.subject(), method, "", func() error { t, err = inner(ctx, method, a); return err })
		return t, err
	}
}

// moodyBook wraps the part of the store that workflows write.
type moodyBook struct {
	store.Book
	mood *moody
}

func (b moodyBook) Claim(ctx context.Context, tenant, username, order string) error {
	return b.mood.through(username, "claim", "", func() error { return b.Book.Claim(ctx, tenant, username, order) })
}

func (b moodyBook) Unclaim(ctx context.Context, tenant, username, order string) error {
	return b.mood.through(username, "unclaim", "", func() error { return b.Book.Unclaim(ctx, tenant, username, order) })
}

func (b moodyBook) Service(ctx context.Context, tenant, username string) (s linegate.Service, err error) {
	err = b.mood.through(username, "service", "", func() error { s, err = b.Book.Service(ctx, tenant, username); return err })
	return s, err
}

func (b moodyBook) PutService(ctx context.Context, s linegate.Service) error {
	return b.mood.through(s.Username, "put service", s.OrderID, func() error { return b.Book.PutService(ctx, s) })
}

func (b moodyBook) DeleteService(ctx context.Context, id string) error {
	return b.mood.through(id, "delete service", "", func() error { return b.Book.DeleteService(ctx, id) })
}

func (b moodyBook) PutAllocation(ctx context.Context, r linegate.AllocationRecord) error {
	return b.mood.through(r.Claim.Username, "put allocation", "", func() error { return b.Book.PutAllocation(ctx, r) })
}

func (b moodyBook) DeleteAllocation(ctx context.Context, key string) error {
	return b.mood.through(key, "delete allocation", "", func() error { return b.Book.DeleteAllocation(ctx, key) })
}

func (b moodyBook) AssignVLAN(ctx context.Context, wish linegate.VLANAssignment) (a linegate.VLANAssignment, err error) {
	err = b.mood.through(wish.Key, "assign vlan", "", func() error { a, err = b.Book.AssignVLAN(ctx, wish); return err })
	return a, err
}

func (b moodyBook) UnassignVLAN(ctx context.Context, key string) error {
	return b.mood.through(key, "unassign vlan", "", func() error { return b.Book.UnassignVLAN(ctx, key) })
}

// moodyProfiles wraps the subscribers of the store.
type moodyProfiles struct {
	Profiles
	mood *moody
}

func (p moodyProfiles) Subscriber(ctx context.Context, tenant, username string) (s *linegate.Subscriber, err error) {
	err = p.mood.through(username, "subscriber", "", func() error { s, err = p.Profiles.Subscriber(ctx, tenant, username); return err })
	return s, err
}

func (p moodyProfiles) PutSubscriber(ctx context.Context, actor string, s *linegate.Subscriber) error {
	return p.mood.through(s.Username, "put subscriber", "", func() error { return p.Profiles.PutSubscriber(ctx, actor, s) })
}

func (p moodyProfiles) DeleteSubscriber(ctx context.Context, actor, tenant, username string) error {
	return p.mood.through(username, "delete subscriber", "", func() error { return p.Profiles.DeleteSubscriber(ctx, actor, tenant, username) })
}

// adjust puts the mood around all ports.
func (m *moody) adjust(o *Options) {
	o.Addresses = addressPort{m.handle(o.Addresses.(addressPort).handle)}
	o.ONU = onuPort{m.handle(o.ONU.(onuPort).handle)}
	o.CPE = cpePort{m.handle(o.CPE.(cpePort).handle)}
	o.Changes = changePort{m.handle(o.Changes.(changePort).handle)}
	o.Book = moodyBook{o.Book.(store.Book), m}
	o.Profiles = moodyProfiles{o.Profiles, m}
}
