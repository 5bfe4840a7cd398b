package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"linegate"
	"linegate/cmd/linegate/config"
	"linegate/radiusd/wire"
	"linegate/store"
)

// countingNAS acknowledges everything and counts what it was asked for, by
// Acct-Session-Id.
type countingNAS struct {
	conn *net.UDPConn
	seen func(total int) // called with every request that is no copy

	mu    sync.Mutex
	asked map[string]int
	last  map[string][16]byte // authenticators, to tell copies from new requests
}

func (n *countingNAS) serve() {
	signer := wire.NewSigner("testing123")
	var buffer [wire.MaxPacketSize]byte
	for total := 0; ; {
		size, from, err := n.conn.ReadFromUDPAddrPort(buffer[:])
		if err != nil {
			return
		}
		packet, err := wire.Parse(buffer[:size])
		if err != nil || signer.VerifyChange(packet) != nil {
			continue
		}
		id := string(packet.Find(wire.AcctSessionID))
		n.mu.Lock()
		if n.last[id] != packet.Authenticator() {
			n.asked[id]++
			total++
		}
		n.last[id] = packet.Authenticator()
		n.mu.Unlock()
		n.seen(total)
		reply := wire.AppendHeader(nil, packet.Code()+1, packet.Identifier(), [16]byte{})
		if signer.SignReply(reply, packet.Authenticator()) == nil {
			_, _ = n.conn.WriteToUDPAddrPort(reply, from)
		}
	}
}

// massStore is a store with so many open sessions on a NAS that acknowledges.
func massStore(t *testing.T, sessions int, seen func(total int)) *countingNAS {
	t.Helper()
	freshStore(t)
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(t, err)
	_ = conn.SetReadBuffer(1 << 20)
	nas := &countingNAS{conn: conn, seen: seen, asked: map[string]int{}, last: map[string][16]byte{}}
	var serving sync.WaitGroup
	serving.Go(nas.serve)
	t.Cleanup(func() { _ = conn.Close(); serving.Wait() })

	require.NoError(t, os.WriteFile("isp.yaml", []byte("tenants: [{name: isp}]\n"+
		"nas: [{name: bng, address: 127.0.0.1, secret: testing123, coa_window: 256, coa_port: "+
		strconv.Itoa(conn.LocalAddr().(*net.UDPAddr).Port)+"}]\n"), 0o600))
	require.NoError(t, run(t, "", "apply", "-f", "isp.yaml").err)
	cfg, err := config.Load("")
	require.NoError(t, err)
	require.NoError(t, withMadeStore(t.Context(), cfg, func(engine store.Engine) error {
		events := make([]linegate.AccountingEvent, 0, 1000)
		for i := range sessions {
			events = append(events, linegate.AccountingEvent{
				NAS:    linegate.NASKey{Tenant: "isp", Name: "bng", Address: netip.MustParseAddr("127.0.0.1")},
				Status: linegate.AcctStart, At: time.Now(), ReceivedAt: time.Now(),
				AcctSessionID: fmt.Sprintf("%06d", i), UserName: fmt.Sprintf("user%d", i),
			})
			if len(events) == cap(events) || i == sessions-1 {
				if err := engine.RecordAccounting(t.Context(), events); err != nil {
					return err
				}
				events = events[:0]
			}
		}
		return nil
	}))
	return nas
}

// massSummary is what a mass change prints as JSON.
type massSummary struct {
	Selected   int
	DoneBefore int `json:"done_before"`
	Acked      int
	Left       int
	Took       float64 `json:"took_seconds"`
}

// disconnectAll runs the command until ctx ends.
func disconnectAll(ctx context.Context, t *testing.T) (summary massSummary, err error) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	root := newRootCommand()
	root.SetArgs([]string{"coa", "disconnect", "--all", "--key", "night", "-o", "json"})
	root.SetIn(strings.NewReader(""))
	root.SetOut(&stdout)
	root.SetErr(&stderr)
	err = root.ExecuteContext(ctx)
	require.NoError(t, json.Unmarshal(stdout.Bytes(), &summary), "%s%s%v", stdout.String(), stderr.String(), err)
	return summary, err
}

// As Ctrl-C does, the end of the context stops a change of many sessions in the
// middle. The same key goes on, and nobody is disconnected twice.
func TestAMassChangeThatWasStoppedGoesOn(t *testing.T) {
	const sessions = 2000
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	nas := massStore(t, sessions, func(total int) {
		if total == sessions/3 {
			stop()
		}
	})
	first, err := disconnectAll(ctx, t)
	assert.Equal(t, statusNotAllDone, exitStatus(err))
	assert.Equal(t, sessions, first.Selected)
	assert.NotZero(t, first.Acked)
	assert.NotZero(t, first.Left)
	assert.Equal(t, sessions, first.Acked+first.Left)

	second, err := disconnectAll(t.Context(), t)
	require.NoError(t, err)
	assert.Equal(t, first.Acked, second.DoneBefore)
	assert.Equal(t, sessions-first.Acked, second.Acked)

	third, err := disconnectAll(t.Context(), t)
	require.NoError(t, err)
	assert.Equal(t, massSummary{Selected: sessions, DoneBefore: sessions, Took: third.Took}, third)
	nas.mu.Lock()
	defer nas.mu.Unlock()
	assert.Len(t, nas.asked, sessions)
	for id, count := range nas.asked {
		if count != 1 {
			t.Errorf("session %s was disconnected %d times", id, count)
		}
	}
}
