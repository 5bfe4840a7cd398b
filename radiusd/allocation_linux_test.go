package radiusd

import (
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"linegate"
	"linegate/policy/dialect"
	"linegate/radiusd/wire"
	"linegate/telemetry"
)

// oneSubscriber is a Directory that knows alice, and a Bookkeeper that forgets.
type oneSubscriber struct {
	Directory
	alice *linegate.Subscriber
}

func (d oneSubscriber) Find(key []byte, _ *linegate.Room) (linegate.Lookup, bool) {
	if string(key) == "demo\x00u\x00alice" {
		return linegate.Lookup{Subscriber: d.alice}, true
	}
	return linegate.Lookup{}, true
}

func (oneSubscriber) Validated(string, time.Time, linegate.Option82Result) {}

// acceptBench is a server that knows alice, and her requests.
func acceptBench(t testing.TB) (server *Server, packets [][]byte) {
	alice := &linegate.Subscriber{ID: "018f0000-0000-7000-8000-000000000001", Tenant: "demo", Username: "alice",
		Credential: linegate.Credential{Kind: linegate.CredentialCleartext, Value: "secretpw"},
		Profile: &linegate.NetworkProfile{CircuitID: "olt1", Option82Policy: linegate.Option82Enforce, ServiceVLAN: 101,
			StaticIPv4: netip.MustParseAddr("100.64.0.11"), DelegatedIPv6Prefix: netip.MustParsePrefix("2001:db8::/56")}}
	alice.Normalize()
	known := oneSubscriber{alice: alice}
	server, err := New(t.Context(), Options{
		Auth: []string{"127.0.0.1:0"}, Sockets: 1, ReplyCacheEntries: 64, Dialects: dialect.Builtin(32473),
		Directory: known, Bookkeeper: known, Metrics: telemetry.NewMetrics(), Logger: slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	nas := linegate.NAS{Tenant: "demo", Name: "bng1", Address: netip.MustParsePrefix("127.0.0.1/32"), Secret: "testing123", Learned: linegate.Yes}
	nas.Normalize()
	require.Empty(t, server.SetNASes([]linegate.NAS{nas}))
	require.NoError(t, server.Listen(t.Context()))
	t.Cleanup(server.Close)

	signer := wire.NewSigner("testing123")
	for identifier := range uint8(200) {
		authenticator := [16]byte{identifier}
		raw := wire.AppendMessageAuthenticator(wire.AppendHeader(nil, wire.AccessRequest, identifier, authenticator))
		raw = wire.AppendText(raw, wire.UserName, "alice")
		raw = wire.AppendAttribute(raw, wire.UserPassword, signer.HidePassword(nil, "secretpw", authenticator))
		raw = wire.AppendVendorAttribute(raw, 3561, 1, []byte("olt1"))
		require.NoError(t, signer.SignRequest(raw))
		packets = append(packets, raw)
	}
	return server, packets
}

// BenchmarkAccept is the cost of an accept without that of the network and of the
// table of subscribers.
func BenchmarkAccept(b *testing.B) {
	server, packets := acceptBench(b)
	socket, from := server.sockets[0], peer{address: netip.MustParseAddrPort("127.0.0.1:9")}
	b.ReportAllocs()
	for b.Loop() {
		for batch := range slices.Chunk(packets, 8) {
			for _, packet := range batch {
				socket.open(packet, from, time.Now())
			}
			socket.handle()
			socket.mail.queued = 0
			socket.flush(time.Now())
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(packets)), "ns/accept")
}

// A known subscriber's accept, from the datagram read to the reply sent, with
// duplicate detection, metrics and bookkeeping, leaves nothing to the garbage
// collector.
func TestAcceptingAKnownSubscriberDoesNotAllocate(t *testing.T) {
	server, packets := acceptBench(t)
	socket := server.sockets[0]
	asking, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(server.Addresses(AuthPort)[0]))
	require.NoError(t, err)
	defer asking.Close()
	next := 0
	accept := func() {
		_, err := asking.Write(packets[next%len(packets)])
		next++
		count, failed := socket.mail.receive()
		if err != nil || failed != nil || count != 1 {
			t.Fatal(err, failed, count)
		}
		datagram, from, _ := socket.mail.letter(0)
		socket.open(datagram, from, time.Now())
		socket.handle()
		socket.flush(time.Now())
	}
	for range 2 * len(packets) {
		accept() // until all buffers have grown
	}
	assert.Zero(t, testing.AllocsPerRun(500, accept))

	last := packets[(next-1)%len(packets)]
	seen, _, reply := socket.replies.begin(replyKey{source: asking.LocalAddr().(*net.UDPAddr).AddrPort(), identifier: last[1]}, [16]byte(last[4:20]), time.Now())
	require.Equal(t, sightedAnswered, seen)
	assert.EqualValues(t, wire.AccessAccept, reply[0])
}
