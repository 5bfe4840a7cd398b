package radiusd_test

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"linegate"
	"linegate/policy/dialect"
	"linegate/radiusd"
	"linegate/radiusd/wire"
	"linegate/telemetry"
)

const secret = "testing123"

// How long tests wait for what is to happen at once, and how often they look.
const (
	waitLimit    = 10 * time.Second
	pollInterval = time.Millisecond
)

// directory is a Directory in memory. What is in later is only found by Load,
// which waits for gate when there is one.
type directory struct {
	mu    sync.Mutex
	known map[linegate.Key]linegate.Lookup
	later map[linegate.Key]linegate.Lookup
	fails error
	gate  chan struct{}
	loads int
}

func (d *directory) Find(key []byte, _ *linegate.Room) (linegate.Lookup, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, later := d.later[linegate.Key(key)]; later || d.fails != nil {
		return linegate.Lookup{}, false
	}
	return d.known[linegate.Key(key)], true
}

func (d *directory) Load(ctx context.Context, key linegate.Key) (linegate.Lookup, error) {
	d.mu.Lock()
	d.loads++
	gate, fails, lookup := d.gate, d.fails, d.later[key]
	d.mu.Unlock()
	if gate != nil {
		select {
		case <-gate:
		case <-ctx.Done():
			return linegate.Lookup{}, ctx.Err()
		}
	}
	return lookup, fails
}

// change alters the directory while the server may be using it.
func (d *directory) change(how func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	how()
}

func (d *directory) put(into map[linegate.Key]linegate.Lookup, subscriber *linegate.Subscriber) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, key := range subscriber.Keys() {
		into[key] = linegate.Lookup{Subscriber: subscriber}
	}
}

// ledger keeps events; refuses and fails say how Record goes wrong, and hold
// keeps the word back until release.
type ledger struct {
	mu      sync.Mutex
	events  []linegate.AccountingEvent
	refuses error
	fails   error
	hold    bool
	held    []func(error)
}

func (l *ledger) Record(event linegate.AccountingEvent, done func(error)) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.refuses != nil {
		return l.refuses
	}
	l.events = append(l.events, event)
	if l.hold {
		l.held = append(l.held, done)
		return nil
	}
	go done(l.fails)
	return nil
}

// change alters the ledger while the server may be using it.
func (l *ledger) change(how func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	how()
}

func (l *ledger) release() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, done := range l.held {
		go done(l.fails)
	}
	l.held = nil
}

func (l *ledger) recorded() []linegate.AccountingEvent {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]linegate.AccountingEvent(nil), l.events...)
}

// bookkeeper and learner hand on what they are told.
type bookkeeper chan linegate.Option82Result

func (b bookkeeper) Validated(_ string, _ time.Time, result linegate.Option82Result) { b <- result }

type learner chan linegate.Tristate

func (l learner) LearnNAS(_ context.Context, _, _ string, learned linegate.Tristate) error {
	l <- learned
	return nil
}

// bench is a server on free ports with everything around it faked.
type bench struct {
	*testing.T
	server     *radiusd.Server
	directory  *directory
	ledger     *ledger
	bookkeeper bookkeeper
	learner    learner
	metrics    *telemetry.Metrics
	signer     *wire.Signer
	identifier uint8
	conns      map[radiusd.Port]*net.UDPConn
	stop       func() // shuts the server down and waits
}

// start runs a server with one NAS at 127.0.0.1/32; change alters NAS and options.
func start(t *testing.T, change func(*linegate.NAS, *radiusd.Options)) *bench {
	t.Helper()
	b := &bench{T: t,
		directory:  &directory{known: map[linegate.Key]linegate.Lookup{}, later: map[linegate.Key]linegate.Lookup{}},
		ledger:     &ledger{},
		bookkeeper: make(bookkeeper, 100), learner: make(learner, 10),
		metrics: telemetry.NewMetrics(), signer: wire.NewSigner(secret), conns: map[radiusd.Port]*net.UDPConn{},
	}
	nas := linegate.NAS{Tenant: "demo", Name: "bng1", Address: netip.MustParsePrefix("127.0.0.1/32"), Secret: secret}
	options := radiusd.Options{
		Auth: []string{"127.0.0.1:0"}, Acct: []string{"127.0.0.1:0"}, Sockets: 2, ReplyCacheEntries: 64,
		Dialects: dialect.Builtin(32473), Directory: b.directory, Ledger: b.ledger,
		Bookkeeper: b.bookkeeper, Learner: b.learner, Metrics: b.metrics, Logger: slog.New(slog.DiscardHandler),
	}
	if change != nil {
		change(&nas, &options)
	}
	nas.Normalize()

	server, err := radiusd.New(t.Context(), options)
	require.NoError(t, err)
	require.Empty(t, server.SetNASes([]linegate.NAS{nas}))
	server.SetSettings(linegate.Settings{AcctInterimInterval: 600})
	require.NoError(t, server.Listen(t.Context()))
	b.server = server

	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx) }()
	b.stop = sync.OnceFunc(func() {
		cancel()
		assert.NoError(t, <-ended)
	})
	t.Cleanup(b.stop)
	for _, port := range []radiusd.Port{radiusd.AuthPort, radiusd.AcctPort} {
		b.conns[port] = b.dial(port)
	}
	return b
}

func (b *bench) dial(port radiusd.Port) *net.UDPConn {
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(b.server.Addresses(port)[0]))
	require.NoError(b, err)
	b.Cleanup(func() { _ = conn.Close() })
	return conn
}

// access builds a signed Access-Request with a fresh identifier.
func (b *bench) access(attributes func(raw []byte, authenticator [16]byte) []byte) []byte {
	b.identifier++
	authenticator := [16]byte{1, 2, 3, b.identifier}
	raw := wire.AppendMessageAuthenticator(wire.AppendHeader(nil, wire.AccessRequest, b.identifier, authenticator))
	raw = attributes(raw, authenticator)
	require.NoError(b, b.signer.SignRequest(raw))
	return raw
}

// pap is an Access-Request of a user with a password, from a circuit.
func (b *bench) pap(user, password, circuit string) []byte {
	return b.access(func(raw []byte, authenticator [16]byte) []byte {
		raw = wire.AppendText(raw, wire.UserName, user)
		raw = wire.AppendAttribute(raw, wire.UserPassword, b.signer.HidePassword(nil, password, authenticator))
		return wire.AppendVendorAttribute(raw, 3561, 1, []byte(circuit))
	})
}

// acct is a signed Accounting-Request.
func (b *bench) acct(status uint32, attributes func(raw []byte) []byte) []byte {
	b.identifier++
	raw := wire.AppendHeader(nil, wire.AccountingRequest, b.identifier, [16]byte{})
	raw = wire.AppendInteger(raw, wire.AcctStatusType, status)
	if attributes != nil {
		raw = attributes(raw)
	}
	require.NoError(b, b.signer.SignAccounting(raw))
	return raw
}

func session(id string) func([]byte) []byte {
	return func(raw []byte) []byte { return wire.AppendText(raw, wire.AcctSessionID, id) }
}

func (b *bench) send(port radiusd.Port, raw []byte) {
	_, err := b.conns[port].Write(raw)
	require.NoError(b, err)
}

// receive waits for the next reply and returns its raw octets.
func (b *bench) receive(port radiusd.Port) []byte {
	b.Helper()
	buffer := make([]byte, wire.MaxPacketSize)
	require.NoError(b, b.conns[port].SetReadDeadline(time.Now().Add(10*time.Second)))
	n, err := b.conns[port].Read(buffer)
	require.NoError(b, err, "no answer")
	return buffer[:n]
}

// ask sends a request and returns the verified reply.
func (b *bench) ask(port radiusd.Port, raw []byte) wire.Packet {
	b.Helper()
	b.send(port, raw)
	return b.verified(raw, b.receive(port))
}

func (b *bench) verified(request, reply []byte) wire.Packet {
	b.Helper()
	packet, err := wire.Parse(reply)
	require.NoError(b, err)
	require.Equal(b, request[1], packet.Identifier())
	_, err = b.signer.VerifyReply(packet, [16]byte(request[4:20]))
	require.NoError(b, err)
	return packet
}

// unanswered sends a request and then one that must be answered first: packets
// of one source arrive in order, so the reply shows that the other got none.
func (b *bench) unanswered(port radiusd.Port, raw []byte) {
	b.Helper()
	b.send(port, raw)
	b.identifier++
	status := wire.AppendMessageAuthenticator(wire.AppendHeader(nil, wire.StatusServer, b.identifier, [16]byte{9, b.identifier}))
	require.NoError(b, b.signer.SignRequest(status))
	b.ask(port, status)
}

// count reads a counter by its name and label values, 0 when there is none.
func (b *bench) count(name string, labels map[string]string) float64 {
	families, err := b.metrics.Registry().Gather()
	require.NoError(b, err)
	total := 0.0
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
		for _, metric := range family.GetMetric() {
			matches := true
			for _, pair := range metric.GetLabel() {
				if want, named := labels[pair.GetName()]; named && want != pair.GetValue() {
					matches = false
				}
			}
			if matches {
				total += metric.GetCounter().GetValue()
			}
		}
	}
	return total
}

func (b *bench) drops(reason telemetry.Drop) float64 {
	return b.count("radius_drops_total", map[string]string{"reason": string(reason)})
}

// alice is in the directory: password secretpw, line olt1, under enforce.
func (b *bench) alice() *linegate.Subscriber {
	subscriber := &linegate.Subscriber{
		ID: "018f0000-0000-7000-8000-000000000001", Tenant: "demo", Username: "alice",
		Credential: linegate.Credential{Kind: linegate.CredentialCleartext, Value: "secretpw"},
		Profile: &linegate.NetworkProfile{CircuitID: "olt1", Option82Policy: linegate.Option82Enforce,
			ServiceVLAN: 101, StaticIPv4: netip.MustParseAddr("100.64.0.11")},
	}
	subscriber.Normalize()
	b.directory.put(b.directory.known, subscriber)
	return subscriber
}
