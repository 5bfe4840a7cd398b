package coa_test

import (
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"linegate"
	"linegate/coa"
	"linegate/policy/dialect"
	"linegate/radiusd/wire"
)

// network is a NAS at the other end of ports that exist in memory only, so that
// tests run in the time of a synctest bubble.
type network struct {
	nas func(request received)

	mu   sync.Mutex
	next uint16
	open int
	most int
}

// received is one request that came to the NAS.
type received struct {
	wire.Packet
	from *memoryConn
	to   netip.AddrPort
	at   time.Time
}

// answer sends a packet back to where the request came from.
func (r received) answer(packet []byte) { r.answerFrom(r.to, packet) }

func (r received) answerFrom(source netip.AddrPort, packet []byte) {
	select {
	case r.from.incoming <- datagram{packet, source}:
	default: // as a full socket buffer would
	}
}

// reply is a signed answer of that code, with attributes.
func (r received) reply(code wire.Code, attributes ...byte) []byte {
	return r.replySigned("testing123", code, attributes...)
}

func (r received) replySigned(secret string, code wire.Code, attributes ...byte) []byte {
	packet := append(wire.AppendHeader(nil, code, r.Identifier(), [16]byte{}), attributes...)
	if err := wire.NewSigner(secret).SignReply(packet, r.Authenticator()); err != nil {
		panic(err)
	}
	return packet
}

func (n *network) dial() (coa.Conn, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.next++
	n.open++
	n.most = max(n.most, n.open)
	return &memoryConn{network: n, port: 40000 + n.next, incoming: make(chan datagram, 1024), closed: make(chan struct{})}, nil
}

type datagram struct {
	octets []byte
	from   netip.AddrPort
}

type memoryConn struct {
	network  *network
	port     uint16
	incoming chan datagram
	closed   chan struct{}
	once     sync.Once
}

func (c *memoryConn) ReadFromUDPAddrPort(buffer []byte) (int, netip.AddrPort, error) {
	select {
	case came := <-c.incoming:
		return copy(buffer, came.octets), came.from, nil
	case <-c.closed:
		return 0, netip.AddrPort{}, net.ErrClosed
	}
}

func (c *memoryConn) WriteToUDPAddrPort(octets []byte, to netip.AddrPort) (int, error) {
	packet, err := wire.Parse(append([]byte(nil), octets...))
	if err != nil {
		return 0, err
	}
	c.network.nas(received{packet, c, to, time.Now()})
	return len(octets), nil
}

func (c *memoryConn) Close() error {
	c.once.Do(func() {
		close(c.closed)
		c.network.mu.Lock()
		c.network.open--
		c.network.mu.Unlock()
	})
	return nil
}

var bngAddress = netip.MustParseAddr("192.0.2.1")

func bng() linegate.NAS {
	n := linegate.NAS{Tenant: "demo", Name: "bng", Address: netip.PrefixFrom(bngAddress, 32), Secret: "testing123"}
	n.Normalize()
	return n
}

func session(id string) *linegate.Session {
	return &linegate.Session{ID: "uuid-" + id, AcctSessionID: id, UserName: "alice",
		NAS: linegate.NASKey{Tenant: "demo", Name: "bng", Address: bngAddress}}
}

// sender returns a Sender that reaches the NAS over the network in memory.
func sender(t testing.TB, n *network, options coa.Options) *coa.Sender {
	t.Helper()
	options.Dialects = dialect.Builtin(32473)
	options.Open = n.dial
	s := coa.New(options)
	require.Empty(t, s.SetNASes([]linegate.NAS{bng()}))
	t.Cleanup(s.Close)
	return s
}
