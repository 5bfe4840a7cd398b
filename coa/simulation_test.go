package coa_test

import (
	"fmt"
	"hash/fnv"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"linegate"
	"linegate/coa"
	"linegate/policy/dialect"
	"linegate/radiusd/wire"
)

// simulatedNAS is a NAS of a big network on an address of its own: it loses one
// datagram in a hundred, refuses one session in a hundred, answers a copy as it
// answered the first, and watches over the identifiers.
type simulatedNAS struct {
	conn   *net.UDPConn
	signer *wire.Signer
	window time.Duration // in which no identifier may come back on a source port

	received, copies, lost int
	ended                  map[string]int // requests carried out, by Acct-Session-Id
	seen                   map[simulatedKey]simulatedRequest
	violations             []string
}

type simulatedKey struct {
	source     netip.AddrPort
	identifier uint8
}

type simulatedRequest struct {
	authenticator [16]byte
	first         time.Time // reception: copies that lay in the socket for long don't count
	reply         []byte
}

// onePercent picks one in a hundred, always the same.
func onePercent(text string, salt int) bool {
	sum := fnv.New32a()
	fmt.Fprintf(sum, "%d/%s", salt, text)
	return sum.Sum32()%100 == 0
}

func (n *simulatedNAS) serve() {
	var buffer [wire.MaxPacketSize]byte
	for {
		size, from, err := n.conn.ReadFromUDPAddrPort(buffer[:])
		if err != nil {
			return
		}
		n.received++
		if onePercent("in", n.received) {
			n.lost++
			continue
		}
		packet, err := wire.Parse(buffer[:size])
		if err != nil || n.signer.VerifyChange(packet) != nil {
			n.violations = append(n.violations, "a packet that proves nothing")
			continue
		}
		reply := n.handle(packet, from)
		if onePercent("out", n.received) {
			n.lost++
			continue
		}
		_, _ = n.conn.WriteToUDPAddrPort(reply, from)
	}
}

func (n *simulatedNAS) handle(packet wire.Packet, from netip.AddrPort) []byte {
	key := simulatedKey{from, packet.Identifier()}
	now := time.Now()
	if before, known := n.seen[key]; known {
		if before.authenticator == packet.Authenticator() {
			n.copies++
			return before.reply
		}
		if gap := now.Sub(before.first); gap < n.window {
			n.violations = append(n.violations, fmt.Sprintf("identifier %d of %s came back after %s", key.identifier, from, gap))
		}
	}
	id := string(packet.Find(wire.AcctSessionID))
	reply := wire.AppendHeader(nil, packet.Code()+1, packet.Identifier(), [16]byte{})
	if onePercent(id, 1) {
		reply = wire.AppendInteger(wire.AppendHeader(nil, packet.Code()+2, packet.Identifier(), [16]byte{}), wire.ErrorCause, 504)
	}
	n.ended[id]++
	if err := n.signer.SignReply(reply, packet.Authenticator()); err != nil {
		panic(err)
	}
	n.seen[key] = simulatedRequest{packet.Authenticator(), now, reply}
	return reply
}

// simulatedBoxes opens NAS on 127.0.1.1, 127.0.1.2 and so on, all on one port.
func simulatedBoxes(t testing.TB, count int, window time.Duration) (boxes []*simulatedNAS, port uint16, stop func()) {
	t.Helper()
	var serving sync.WaitGroup
	for i := range count {
		address := net.UDPAddr{IP: net.IPv4(127, 0, 1, byte(i+1)), Port: int(port)}
		conn, err := net.ListenUDP("udp4", &address)
		require.NoError(t, err)
		port = uint16(conn.LocalAddr().(*net.UDPAddr).Port)
		_ = conn.SetReadBuffer(1 << 20)
		box := &simulatedNAS{conn: conn, signer: wire.NewSigner("testing123"), window: window, ended: map[string]int{}, seen: map[simulatedKey]simulatedRequest{}}
		boxes = append(boxes, box)
		serving.Go(box.serve)
	}
	return boxes, port, func() {
		for _, box := range boxes {
			_ = box.conn.Close()
		}
		serving.Wait()
	}
}

// massChange disconnects so many sessions over 50 NAS and returns what it came to,
// from both ends.
func massChange(t testing.TB, sessions int, window time.Duration, ports int) (tally coa.Tally, boxes []*simulatedNAS, took time.Duration, opened int) {
	t.Helper()
	boxes, port, stop := simulatedBoxes(t, 50, window)
	s := coa.New(coa.Options{Dialects: dialect.Builtin(32473), Source: netip.MustParseAddr("127.0.0.1"), Ports: ports, Reuse: window,
		// One loss in fifty makes nine tries fail once in 10^15 sessions.
		Retry: coa.Retry{Initial: 250 * time.Millisecond, Longest: time.Second, Count: 20, Overall: time.Minute}})
	nas := bng()
	nas.Address, nas.CoAPort = netip.MustParsePrefix("127.0.1.0/24"), port
	require.Empty(t, s.SetNASes([]linegate.NAS{nas}))

	orders := make([]coa.Order, sessions)
	for i := range orders {
		one := session(fmt.Sprintf("%08x", i))
		one.NAS.Address = netip.AddrFrom4([4]byte{127, 0, 1, byte(i%50 + 1)})
		orders[i] = coa.Order{Session: one, Changes: []linegate.Change{disconnect}}
	}
	began := time.Now()
	tally, err := (&coa.Mass{Changer: s}).Run(t.Context(), orders)
	took = time.Since(began)
	require.NoError(t, err)
	opened = s.OpenPorts()
	s.Close()
	stop()
	return tally, boxes, took, opened
}

func TestAMassChangeOverFiftyNASWithLossAndRefusals(t *testing.T) {
	t.Run("in the window of RFC 5176", func(t *testing.T) { checkMassChange(t, 20000, 256, 300*time.Second) })
	t.Run("in a short one, with too few ports", func(t *testing.T) { checkMassChange(t, 15000, 1, 3*time.Second) })
}

// BenchmarkMassChange is the same for 100,000 sessions: too many for a test with the
// race detector on a small machine.
func BenchmarkMassChange(b *testing.B) {
	for b.Loop() {
		checkMassChange(b, 100000, 256, 300*time.Second)
	}
}

// checkMassChange makes a mass change and compares what it says with what the NAS
// saw: every session once, and no identifier back within the window.
func checkMassChange(t testing.TB, sessions, ports int, window time.Duration) {
	t.Helper()
	tally, boxes, took, opened := massChange(t, sessions, window, ports)
	refused, received, copies, lost := 0, 0, 0, 0
	ended := map[string]int{}
	for _, box := range boxes {
		assert.Empty(t, box.violations)
		received, copies, lost = received+box.received, copies+box.copies, lost+box.lost
		for id, count := range box.ended {
			ended[id] += count
			if onePercent(id, 1) {
				refused++
			}
		}
	}
	assert.Len(t, ended, sessions, "every session reached its NAS")
	for id, count := range ended {
		if count != 1 {
			t.Errorf("session %s was asked for %d times", id, count)
		}
	}
	assert.Equal(t, refused, tally.Results[linegate.ChangeRefused])
	assert.Equal(t, sessions-refused, tally.Results[linegate.ChangeAcked])
	assert.Equal(t, map[linegate.ErrorCause]int{504: refused}, tally.Causes)
	assert.Zero(t, tally.Left)
	t.Logf("%d sessions in %s (%.0f/s): %d acked, %d refused; the NAS got %d requests, %d of them copies, and lost %d datagrams; %d source ports",
		sessions, took.Round(time.Millisecond), float64(sessions)/took.Seconds(),
		tally.Results[linegate.ChangeAcked], refused, received, copies, lost, opened)
}
