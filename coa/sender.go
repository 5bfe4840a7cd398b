package coa

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"linegate"
	"linegate/policy/dialect"
	"linegate/radiusd/wire"
)

// Options are what a Sender needs; zero fields have the defaults named.
type Options struct {
	Dialects map[string]*dialect.Dialect
	Source   netip.Addr    // that requests are sent from; zero: the kernel chooses
	Ports    int           // source ports open at a time; 256
	Reuse    time.Duration // until an identifier is used again; 300 s (RFC 5176 section 6.3)
	Retry    Retry
	// Open opens one source port; nil: a free UDP port of Source.
	Open func() (Conn, error)
	// Done is told of every finished change, Stray of every packet that was no
	// answer. Both are called on many goroutines and must not block; nil: nobody is told.
	Done  func(Report)
	Stray func(linegate.StrayAnswer)
}

// defaults of Options.
const (
	defaultPorts = 256
	defaultReuse = 300 * time.Second
)

// readBuffer holds the answers of many NAS at once, in octets.
const readBuffer = 1 << 20

// Order asks for changes of one session, all in one request: they happen together
// or not at all (RFC 5176 section 2.3).
type Order struct {
	Session *linegate.Session
	Changes []linegate.Change
	// Uncertain tells that the same was asked before and never answered, so that it
	// may have happened.
	Uncertain bool
	// Patience is how long to wait until the NAS has room for the request: a place in
	// its window, and an identifier that has rested; 0: as long as it takes.
	Patience time.Duration
}

// ErrBusy: the NAS had no room within the order's patience. It was not asked.
var ErrBusy = errors.New("too many changes of this NAS at a time")

// Kinds names the changes, parted by commas.
func (o *Order) Kinds() string {
	names := make([]string, len(o.Changes))
	for i := range o.Changes {
		names[i] = string(o.Changes[i].Kind)
	}
	return strings.Join(names, ",")
}

// orDisconnect reports whether a disconnect may take the place of the changes.
func (o *Order) orDisconnect() bool {
	return slices.ContainsFunc(o.Changes, func(change linegate.Change) bool { return change.OrDisconnect })
}

// disconnects reports whether nothing else is asked for than to end the session.
func (o *Order) disconnects() bool {
	return len(o.Changes) == 1 && o.Changes[0].Kind == linegate.ChangeDisconnect
}

// Report is one finished order.
type Report struct {
	Order
	Outcome linegate.ChangeOutcome
	Took    time.Duration // from being asked to knowing
}

// Sender carries out changes. It is safe for concurrent use. Every Sender has
// source ports of its own; Close gives them back.
type Sender struct {
	options Options
	ports   *ports
	nases   atomic.Pointer[nasTable]
	turns   turns
}

// New returns a Sender that knows no NAS yet.
func New(options Options) *Sender {
	options.Ports = cmp.Or(options.Ports, defaultPorts)
	options.Reuse = cmp.Or(options.Reuse, defaultReuse)
	options.Retry = options.Retry.orDefault()
	if options.Open == nil {
		options.Open = func() (Conn, error) { return listenUDP(options.Source) }
	}
	s := &Sender{options: options, turns: turns{taken: map[string]chan struct{}{}}}
	s.ports = &ports{
		open: options.Open, answer: s.answered, limit: options.Ports, reuse: options.Reuse,
		peers: map[netip.AddrPort]*peer{},
	}
	s.nases.Store(&nasTable{})
	return s
}

func listenUDP(source netip.Addr) (Conn, error) {
	var local *net.UDPAddr
	if source.IsValid() {
		local = net.UDPAddrFromAddrPort(netip.AddrPortFrom(source, 0))
	}
	conn, err := net.ListenUDP("udp", local)
	if err != nil {
		return nil, err
	}
	_ = conn.SetReadBuffer(readBuffer) // the kernel may grant less: not worth failing for
	return conn, nil
}

// Close gives up the source ports. No change may be under way.
func (s *Sender) Close() { s.ports.close() }

// OpenPorts returns how many source ports are open now.
func (s *Sender) OpenPorts() int { return s.ports.count() }

func (s *Sender) answered(at *port, datagram []byte, from netip.AddrPort) {
	if stray := at.take(datagram, from); stray != "" && s.options.Stray != nil {
		s.options.Stray(stray)
	}
}

// Apply makes a change and waits for its outcome. While another change of the same
// session is under way it waits for that first: two in flight could be carried out
// in either order. An error tells that nothing is known: ctx ended, the NAS has no
// entry any more, or the network could not be used.
func (s *Sender) Apply(ctx context.Context, order Order) (linegate.ChangeOutcome, error) {
	done, err := s.turns.take(ctx, sessionKey(order.Session))
	if err != nil {
		return linegate.ChangeOutcome{}, fmt.Errorf("session %s: %w", order.Session.AcctSessionID, err)
	}
	defer done()
	began := time.Now()
	outcome, err := s.apply(ctx, order)
	if err != nil {
		return linegate.ChangeOutcome{}, fmt.Errorf("session %s: %w", order.Session.AcctSessionID, err)
	}
	if s.options.Done != nil {
		s.options.Done(Report{Order: order, Outcome: outcome, Took: time.Since(began)})
	}
	return outcome, nil
}

// sessionKey names a session even where the store gave it no id.
func sessionKey(session *linegate.Session) string {
	if session.ID != "" {
		return session.ID
	}
	return session.NAS.Tenant + "\x00" + session.NAS.Name + "\x00" + session.NAS.Address.String() + "\x00" + session.AcctSessionID
}

// apply makes the change, and by a disconnect instead where that is allowed and
// the dialect or the NAS can't do it.
func (s *Sender) apply(ctx context.Context, order Order) (linegate.ChangeOutcome, error) {
	nas := s.nases.Load().find(order.Session.NAS)
	if nas == nil {
		return linegate.ChangeOutcome{}, fmt.Errorf("nas %s of tenant %s: %w", order.Session.NAS.Name, order.Session.NAS.Tenant, linegate.ErrNotFound)
	}
	outcome, err := s.ask(ctx, nas, order)
	cannot := outcome.Result == linegate.ChangeUnsupported || outcome.Result == linegate.ChangeRefused && outcome.Cause.Unsupported()
	if err != nil || !cannot || !order.orDisconnect() || outcome.Disconnected || order.disconnects() {
		return outcome, err
	}
	reason := outcome.Detail
	if outcome.Cause != 0 {
		reason = outcome.Cause.String() + ": " + reason
	}
	order.Changes = []linegate.Change{{Kind: linegate.ChangeDisconnect}}
	if outcome, err = s.ask(ctx, nas, order); err != nil {
		return outcome, err
	}
	outcome.Disconnected = true
	outcome.Detail = "by disconnecting, since " + reason + also(outcome.Detail)
	return outcome, nil
}

func also(detail string) string {
	if detail == "" {
		return ""
	}
	return "; " + detail
}

// ask says the change in the NAS's dialect and waits for what it answers.
func (s *Sender) ask(ctx context.Context, nas *nasEntry, order Order) (linegate.ChangeOutcome, error) {
	body, disconnect, err := nas.say(&order)
	if cannot := (*dialect.Unsupported)(nil); errors.As(err, &cannot) {
		return linegate.ChangeOutcome{Result: linegate.ChangeUnsupported,
			Detail: fmt.Sprintf("the dialect %s can't say %s: %s", nas.dialect.Name(), cannot.Kind, cannot.Reason)}, nil
	}
	if err != nil {
		return linegate.ChangeOutcome{}, err
	}
	to := nas.address(order.Session)
	from, err := s.room(ctx, to, nas.window, order.Patience)
	if err != nil {
		return linegate.ChangeOutcome{}, err
	}
	defer s.ports.release(to, from)
	e, err := newExchange(nas, to, from.identifier, disconnect, body)
	if err != nil {
		return linegate.ChangeOutcome{}, err
	}
	answer, answered, sent, err := e.run(ctx, from, s.options.Retry)
	if err != nil {
		return linegate.ChangeOutcome{}, err
	}
	outcome := linegate.ChangeOutcome{Result: linegate.ChangeTimeout,
		Detail: fmt.Sprintf("%s did not answer %d times: whether it happened is not known", to, sent)}
	if answered {
		outcome = outcomeOf(answer, sent > 1 || order.Uncertain, nas.dialect.Name())
	}
	outcome.Disconnected = disconnect && !order.disconnects()
	return outcome, nil
}

// room waits for an identifier to ask the NAS under.
func (s *Sender) room(ctx context.Context, to netip.AddrPort, window int, patience time.Duration) (slot, error) {
	if patience > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, patience, ErrBusy)
		defer cancel()
	}
	return s.ports.acquire(ctx, to, window)
}

// say writes the request's attributes. One change that is made by a disconnect
// makes all of them: the session comes back with everything new.
func (n *nasEntry) say(order *Order) (body []byte, disconnect bool, err error) {
	identity := n.dialect.AppendIdentity(nil, order.Session)
	body = slices.Clone(identity)
	for _, change := range order.Changes {
		if body, disconnect, err = n.dialect.AppendChange(body, change, order.Session); err != nil {
			return nil, false, err
		}
		if disconnect {
			return identity, true, nil
		}
	}
	return body, false, nil
}

// newExchange writes and signs the request. Message-Authenticator goes first, as in
// all packets of ours; Event-Timestamp is that of the first transmission (RFC 5176
// section 6.3).
func newExchange(nas *nasEntry, to netip.AddrPort, identifier uint8, disconnect bool, body []byte) (*exchange, error) {
	code := wire.CoARequest
	if disconnect {
		code = wire.DisconnectRequest
	}
	traits := nas.dialect.CoA()
	packet := wire.AppendHeader(make([]byte, 0, wire.HeaderSize+len(body)+24), code, identifier, [wire.AuthenticatorSize]byte{})
	if traits.MessageAuthenticator {
		packet = wire.AppendMessageAuthenticator(packet)
	}
	packet = append(packet, body...)
	if traits.EventTimestamp {
		packet = wire.AppendAttribute(packet, wire.EventTimestamp, binary.BigEndian.AppendUint32(nil, uint32(time.Now().Unix())))
	}
	if err := nas.signer.SignAccounting(packet); err != nil {
		return nil, err
	}
	return &exchange{to: to, signer: nas.signer, request: packet, answer: make(chan wire.Packet, 1)}, nil
}

// turns lets one change of a session through at a time.
type turns struct {
	mu    sync.Mutex
	taken map[string]chan struct{} // closed when its holder is done
}

// take waits for the session's turn; done gives it back.
func (t *turns) take(ctx context.Context, session string) (done func(), err error) {
	for {
		t.mu.Lock()
		before, waiting := t.taken[session]
		if !waiting {
			mine := make(chan struct{})
			t.taken[session] = mine
			t.mu.Unlock()
			return func() { t.give(session, mine) }, nil
		}
		t.mu.Unlock()
		select {
		case <-before:
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for the change before: %w", context.Cause(ctx))
		}
	}
}

func (t *turns) give(session string, mine chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.taken, session)
	close(mine)
}
