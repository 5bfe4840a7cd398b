package coa

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/gaissmai/bart"

	"linegate"
	"linegate/radiusd/wire"
)

// Sessions finds the sessions that requests name.
type Sessions interface {
	// EachOpenSession calls fn for the open sessions of a tenant that have all that
	// the search names, and stops at its first error.
	EachOpenSession(ctx context.Context, search Search, fn func(*linegate.Session) error) error
}

// Search narrows a list of open sessions; zero fields let everything through.
type Search struct {
	Tenant        string
	AcctSessionID string
	UserName      string
	FramedIPv4    netip.Addr
}

// Client is a system that may send requests to the relay.
type Client struct {
	Address netip.Prefix // the most specific one counts
	Tenant  string       // whose sessions it reaches
	Secret  linegate.Secret
}

// RelayOptions are what a Relay needs.
type RelayOptions struct {
	Clients  []Client
	Sessions Sessions
	Changer  interface {
		Apply(ctx context.Context, order Order) (linegate.ChangeOutcome, error)
	}
	PEN uint32 // of our own vendor space
	// ReplayWindow is how far an Event-Timestamp may lie from now (RFC 5176 section
	// 6.3); 0: as far as it likes.
	ReplayWindow time.Duration
	Pending      int // requests under way at a time; 1024
	Kept         int // answers kept for requests that come again; 65536

	// ReadControl turns the control messages that came with a packet into the one
	// that sends from the address it came to, and tells how many packets the socket
	// had no room for so far; nil: the kernel chooses, and nothing is known.
	ReadControl func(control []byte) (reply []byte, lost uint32)
	Now         func() time.Time // nil: time.Now
	// Dropped is told of every request that gets no answer, Answered of the others,
	// Lost of packets that the kernel dropped. They must not block; nil: nobody is told.
	Dropped  func(reason linegate.RelayDrop, from netip.AddrPort, cause error)
	Answered func(answer Answer)
	Lost     func(packets uint32)
}

// Answer is what a request was answered with.
type Answer struct {
	From     netip.AddrPort
	Tenant   string
	Code     wire.Code
	Cause    linegate.ErrorCause
	Repeated bool // the request came again and got the same answer
}

// defaults of RelayOptions.
const (
	defaultPending = 1024
	defaultKept    = 1 << 16
	// searchLimit is how long a search for a session may take.
	searchLimit = 10 * time.Second
	// patience is how long a request may wait until its NAS has room, before it is
	// refused with 506: those of one NAS must not fill the relay.
	patience = 10 * time.Second
	// keptFor is for how long an answer is kept: the window in which a copy of a
	// request must be recognised.
	keptFor = 300 * time.Second
)

// Relay answers the CoA and Disconnect requests of other systems: it finds the
// session that one names, has the change made by the session's NAS, and returns
// what the NAS answers. It is safe for concurrent use.
type Relay struct {
	options RelayOptions
	clients bart.Table[*relayClient]
	answers *answers
	slots   chan struct{} // one for each request under way
}

type relayClient struct {
	Client
	signer *wire.Signer
}

// NewRelay returns a Relay that listens nowhere yet.
func NewRelay(options RelayOptions) *Relay {
	options.Pending = cmp.Or(options.Pending, defaultPending)
	options.Kept = cmp.Or(options.Kept, defaultKept)
	if options.Now == nil {
		options.Now = time.Now
	}
	if options.Dropped == nil {
		options.Dropped = func(linegate.RelayDrop, netip.AddrPort, error) {}
	}
	if options.Answered == nil {
		options.Answered = func(Answer) {}
	}
	if options.Lost == nil {
		options.Lost = func(uint32) {}
	}
	r := &Relay{options: options, slots: make(chan struct{}, options.Pending),
		answers: newAnswers(options.Kept, max(keptFor, options.ReplayWindow))}
	for _, client := range options.Clients {
		r.clients.Insert(client.Address, &relayClient{client, wire.NewSigner(client.Secret.Reveal())})
	}
	return r
}

// Waiting returns how many requests are under way.
func (r *Relay) Waiting() int { return len(r.slots) }

// Serve answers what comes to the sockets until ctx ends, and closes them when the
// last request under way is given up.
func (r *Relay) Serve(ctx context.Context, conns []*net.UDPConn) {
	var loops, working sync.WaitGroup
	for i, conn := range conns {
		l := &listener{relay: r, conn: conn, number: i, working: &working}
		loops.Go(func() { l.loop(ctx) })
	}
	unblock := context.AfterFunc(ctx, func() {
		for _, conn := range conns {
			_ = conn.SetReadDeadline(time.Unix(1, 0))
		}
	})
	defer unblock()
	loops.Wait()
	working.Wait()
	for _, conn := range conns {
		_ = conn.Close()
	}
}

// listener is one socket of the relay.
type listener struct {
	relay   *Relay
	conn    *net.UDPConn
	number  int
	working *sync.WaitGroup
	lost    uint32 // packets that the kernel dropped, as last told
}

// received is one datagram as the socket's loop has it; it lives until the next.
type received struct {
	datagram []byte
	from     netip.AddrPort
	control  []byte
}

// controlSize holds the control messages of both families.
const controlSize = 128

// loop reads until the socket's deadline passes. It never waits for anything else.
func (l *listener) loop(ctx context.Context) {
	var datagram [wire.MaxPacketSize + 1]byte
	var control [controlSize]byte
	for {
		n, controlLength, _, from, err := l.conn.ReadMsgUDPAddrPort(datagram[:], control[:])
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, net.ErrClosed):
			return
		case err != nil:
			time.Sleep(time.Millisecond) // a lasting error must not spin
			l.relay.options.Dropped(linegate.RelayReceiveFailed, netip.AddrPort{}, err)
			continue
		}
		came := received{datagram: datagram[:n], from: netip.AddrPortFrom(from.Addr().Unmap(), from.Port())}
		if l.relay.options.ReadControl != nil {
			var lost uint32
			if came.control, lost = l.relay.options.ReadControl(control[:controlLength]); lost > l.lost {
				l.relay.options.Lost(lost - l.lost)
				l.lost = lost
			}
		}
		if reason, cause := l.receive(ctx, came); reason != "" {
			l.relay.options.Dropped(reason, came.from, cause)
		}
	}
}

// receive decides what becomes of a datagram: a reason to drop it, the answer it
// had before, or a goroutine that answers it.
func (l *listener) receive(ctx context.Context, came received) (linegate.RelayDrop, error) {
	client, packet, reason, cause := l.relay.admit(came)
	if reason != "" {
		return reason, cause
	}
	key := answerKey{l.number, came.from, packet.Identifier(), packet.Authenticator()}
	fresh, reply := l.relay.answers.begin(key, l.relay.options.Now())
	switch {
	case !fresh && reply == nil:
		return linegate.RelayDuplicateInFlight, nil
	case !fresh:
		return l.send(reply, came, client, true)
	}
	if window := l.relay.options.ReplayWindow; window > 0 && !current(packet, l.relay.options.Now(), window) {
		l.relay.answers.forget(key)
		return linegate.RelayReplayed, nil
	}
	select {
	case l.relay.slots <- struct{}{}:
	default:
		l.relay.answers.forget(key)
		return linegate.RelayOverloaded, nil
	}
	own := received{datagram: slices.Clone(packet.Raw()), from: came.from, control: slices.Clone(came.control)}
	l.working.Go(func() {
		defer func() { <-l.relay.slots }()
		if reason, cause := l.work(ctx, client, own, key); reason != "" {
			l.relay.answers.forget(key)
			l.relay.options.Dropped(reason, own.from, cause)
		}
	})
	return "", nil
}

// admit finds out whose a datagram is and whether it proves that.
func (r *Relay) admit(came received) (client *relayClient, packet wire.Packet, reason linegate.RelayDrop, cause error) {
	client, known := r.clients.Lookup(came.from.Addr())
	if !known {
		return nil, packet, linegate.RelayUnknownClient, nil
	}
	packet, err := wire.Parse(came.datagram)
	if err != nil {
		return nil, packet, linegate.RelayMalformed, err
	}
	if code := packet.Code(); code != wire.CoARequest && code != wire.DisconnectRequest {
		return nil, packet, linegate.RelayUnknownCode, fmt.Errorf("code is %s", code)
	}
	switch err := client.signer.VerifyChange(packet); {
	case errors.Is(err, wire.ErrAuthenticator):
		return nil, packet, linegate.RelayBadAuthenticator, err
	case err != nil:
		return nil, packet, linegate.RelayBadMessageAuthenticator, err
	}
	return client, packet, "", nil
}

// current reports whether a packet's Event-Timestamp, where it has one, is as near
// to now as the window.
func current(packet wire.Packet, now time.Time, window time.Duration) bool {
	value := packet.Find(wire.EventTimestamp)
	if value == nil {
		return true
	}
	seconds, ok := wire.Uint32(value)
	return ok && now.Sub(time.Unix(int64(seconds), 0)).Abs() <= window
}

// work has the request carried out and answers it.
func (l *listener) work(ctx context.Context, client *relayClient, came received, key answerKey) (linegate.RelayDrop, error) {
	packet, err := wire.Parse(came.datagram)
	if err != nil {
		return linegate.RelayMalformed, err
	}
	asked, cause := readRequest(packet, l.relay.options.PEN)
	if cause == 0 {
		if cause, err = l.relay.carryOut(ctx, client.Tenant, &asked); err != nil {
			return linegate.RelayStoreUnavailable, err
		}
	}
	reply, err := Reply(nil, client.signer, packet, cause)
	if err != nil { // its Proxy-States leave no room
		return linegate.RelayMalformed, err
	}
	l.relay.answers.finish(key, reply, l.relay.options.Now())
	return l.send(reply, came, client, false)
}

// carryOut makes the change and returns what to answer: Acknowledged, or the cause
// of a NAK. An error means that nothing is known about the session.
func (r *Relay) carryOut(ctx context.Context, tenant string, asked *request) (linegate.ErrorCause, error) {
	session, cause, err := r.find(ctx, tenant, &asked.session)
	if err != nil || cause != 0 {
		return cause, err
	}
	outcome, err := r.options.Changer.Apply(ctx, Order{Session: session, Changes: asked.changes, Patience: patience})
	switch {
	case ctx.Err() != nil:
		return 0, context.Cause(ctx)
	case errors.Is(err, linegate.ErrNotFound):
		return linegate.CauseNotRoutable, nil // the NAS has no entry any more
	case errors.Is(err, ErrBusy):
		return linegate.CauseResources, nil
	case err != nil:
		return linegate.CauseProxyError, nil
	}
	return relayed(outcome), nil
}

// relayed is a NAS's answer as the relay passes it on. A NAS that stays silent is a
// failure of this proxy to its client (RFC 5176 section 3.5, 505): without an
// answer the client would only ask again.
func relayed(outcome linegate.ChangeOutcome) linegate.ErrorCause {
	switch outcome.Result {
	case linegate.ChangeAcked, linegate.ChangeGone:
		return Acknowledged
	case linegate.ChangeUnsupported:
		return linegate.CauseUnsupportedAttribute
	case linegate.ChangeTimeout:
		return linegate.CauseProxyError
	}
	return cmp.Or(outcome.Cause, RefusedSilently)
}

// errEnough ends a search that found more than one session.
var errEnough = errors.New("enough sessions")

// find returns the one open session that all of the identity fits, or why there is
// none or not just one.
func (r *Relay) find(ctx context.Context, tenant string, named *identity) (*linegate.Session, linegate.ErrorCause, error) {
	ctx, cancel := context.WithTimeout(ctx, searchLimit)
	defer cancel()
	var found *linegate.Session
	elsewhere, several := false, false
	search := Search{Tenant: tenant, AcctSessionID: named.acctSessionID, UserName: named.userName, FramedIPv4: named.framedIPv4}
	err := r.options.Sessions.EachOpenSession(ctx, search, func(session *linegate.Session) error {
		switch {
		case !named.names(session):
		case !named.namesNAS(session):
			elsewhere = true
		case found != nil:
			several = true
			return errEnough
		default:
			found = session
		}
		return nil
	})
	switch {
	case several:
		return nil, linegate.CauseSeveralSessions, nil
	case err != nil:
		return nil, 0, err
	case found != nil:
		return found, 0, nil
	case elsewhere:
		return nil, linegate.CauseNASMismatch, nil
	}
	return nil, linegate.CauseContextNotFound, nil
}

// send puts an answer on the wire.
func (l *listener) send(reply []byte, came received, client *relayClient, repeated bool) (linegate.RelayDrop, error) {
	if _, _, err := l.conn.WriteMsgUDPAddrPort(reply, came.control, came.from); err != nil {
		return linegate.RelaySendFailed, err
	}
	packet, err := wire.Parse(reply)
	if err != nil {
		return linegate.RelaySendFailed, err
	}
	l.relay.options.Answered(Answer{From: came.from, Tenant: client.Tenant, Code: packet.Code(), Cause: errorCause(packet), Repeated: repeated})
	return "", nil
}
