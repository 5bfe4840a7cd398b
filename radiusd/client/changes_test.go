package client

import (
	"bytes"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"linegate"
	"linegate/radiusd/wire"
)

// changes is a load of CoA-Requests for so many sessions.
func changes(sessions int) *Changes {
	asked := &Changes{Change: wire.AppendText(nil, wire.FilterID, "gold"), Pace: Pace{Duration: 200 * time.Millisecond}, Seed: 1}
	for i := range sessions {
		asked.Sessions = append(asked.Sessions, wire.AppendText(nil, wire.AcctSessionID, fmt.Sprintf("s%d", i)))
	}
	return asked
}

// changed answers a change: the code is so much above the request's, and the
// Proxy-State comes back before what else it has.
func changed(request []byte, more wire.Code, attributes ...byte) []byte {
	packet, err := wire.Parse(request)
	if err != nil {
		panic(err)
	}
	state := wire.AppendAttribute(nil, wire.ProxyState, packet.Find(wire.ProxyState))
	return reply(request, packet.Code()+more, append(state, attributes...)...)
}

func TestChangesAreCountedByTheirAnswers(t *testing.T) {
	signer := wire.NewSigner(secret)
	asked := changes(40)
	asked.DisconnectShare = 0.2
	var disconnects, coas atomic.Uint64
	l := load(respond(t, func(request []byte) []byte {
		packet, err := wire.Parse(request)
		if err != nil || signer.VerifyChange(packet) != nil || packet.Find(wire.MessageAuthenticator) == nil {
			t.Errorf("not a signed change: %x", request)
			return nil
		}
		seconds, ok := wire.Uint32(packet.Find(wire.EventTimestamp))
		assert.True(t, ok)
		assert.WithinDuration(t, time.Now(), time.Unix(int64(seconds), 0), time.Minute)
		if packet.Code() == wire.DisconnectRequest {
			disconnects.Add(1)
			assert.Nil(t, packet.Find(wire.FilterID), "a Disconnect-Request changes nothing")
			return changed(request, 2, wire.AppendInteger(nil, wire.ErrorCause, 504)...)
		}
		coas.Add(1)
		assert.Equal(t, "gold", string(packet.Find(wire.FilterID)))
		return changed(request, 1)
	}), asked.Source)
	result, err := l.Run(t.Context())
	require.NoError(t, err)
	assert.Zero(t, result.Wrong())
	assert.Zero(t, result.BadReplies)
	assert.Equal(t, []uint64{coas.Load(), disconnects.Load(), 0}, []uint64{result.Acks, result.Naks, result.Timeouts})
	assert.Equal(t, result.Sent, result.Answered())
	assert.Equal(t, map[linegate.ErrorCause]uint64{504: disconnects.Load()}, asked.Causes())
	assert.InDelta(t, 0.2, float64(disconnects.Load())/float64(result.Sent), 0.15)
}

// A NAS that answers only the second copy sees the same octets twice, and no other
// request for the session between; no two requests are alike.
func TestASessionHasOneChangeUnderWay(t *testing.T) {
	pending, seen := map[string][]byte{}, map[[16]byte]bool{}
	asked := changes(6)
	l := load(respond(t, func(request []byte) []byte {
		packet, err := wire.Parse(request)
		if err != nil {
			panic(err)
		}
		session := string(packet.Find(wire.AcctSessionID))
		first := pending[session]
		if first == nil {
			assert.False(t, seen[packet.Authenticator()], "a request that was answered before")
			seen[packet.Authenticator()] = true
			pending[session] = slices.Clone(request)
			return nil
		}
		assert.True(t, bytes.Equal(first, request), "another request for the session, or other octets")
		delete(pending, session)
		return changed(request, 1)
	}), asked.Source)
	l.Timeout, l.Tries = 30*time.Millisecond, 100
	result, err := l.Run(t.Context())
	require.NoError(t, err)
	assert.Greater(t, result.Sent, uint64(6), "sessions are asked for again")
	assert.Equal(t, result.Sent, result.Acks)
	assert.GreaterOrEqual(t, result.Retransmissions, result.Sent)
}

func TestASessionIsDisconnectedOnce(t *testing.T) {
	asked := changes(30)
	asked.DisconnectShare, asked.Pace.Duration = 1, time.Second
	l := load(respond(t, func(request []byte) []byte { return changed(request, 1) }), asked.Source)
	result, err := l.Run(t.Context())
	require.NoError(t, err, "the load ends with the last session")
	assert.Equal(t, []uint64{30, 30}, []uint64{result.Sent, result.Acks})
}

func TestWrongAnswersToChangesAreFoundOut(t *testing.T) {
	cause := func(number uint32) []byte { return wire.AppendInteger(nil, wire.ErrorCause, number) }
	for name, test := range map[string]struct {
		answer func(request []byte) []byte
		of     func(Counts) uint64 // the count that has them all
	}{
		"without Proxy-State": {func(request []byte) []byte { return reply(request, wire.CoAACK) }, func(c Counts) uint64 { return c.WrongProxyStates }},
		"with another one": {func(request []byte) []byte {
			return reply(request, wire.CoAACK, wire.AppendText(nil, wire.ProxyState, "anything")...)
		}, func(c Counts) uint64 { return c.WrongProxyStates }},
		"an ACK with the cause of a NAK": {func(request []byte) []byte { return changed(request, 1, cause(503)...) }, func(c Counts) uint64 { return c.WrongCauses }},
		"a NAK with the cause of an ACK": {func(request []byte) []byte { return changed(request, 2, cause(201)...) }, func(c Counts) uint64 { return c.WrongCauses }},
		"a cause that is no number": {func(request []byte) []byte {
			return changed(request, 2, wire.AppendText(nil, wire.ErrorCause, "no")...)
		}, func(c Counts) uint64 { return c.WrongCauses }},
		"an ACK of the other kind": {func(request []byte) []byte { return reply(request, wire.DisconnectACK) }, func(c Counts) uint64 { return c.BadReplies }},
		"a forged ACK": {func(request []byte) []byte {
			forged := changed(request, 1)
			forged[4] ^= 1
			return forged
		}, func(c Counts) uint64 { return c.BadReplies }},
	} {
		t.Run(name, func(t *testing.T) {
			asked := changes(20)
			asked.Pace.Duration = 20 * time.Millisecond
			l := load(respond(t, test.answer), asked.Source)
			l.Timeout = 200 * time.Millisecond
			result, err := l.Run(t.Context())
			require.NoError(t, err)
			assert.Equal(t, result.Sent, test.of(result.Counts))
			assert.Equal(t, result.Sent, result.Wrong()+result.Timeouts)
		})
	}
}

func TestChangesSayWhatIsMissing(t *testing.T) {
	assert.ErrorContains(t, changes(3).Validate(4), "3 open sessions for 4 sockets")
	asked := changes(4)
	require.NoError(t, asked.Validate(4))
	asked.Change = nil
	assert.ErrorContains(t, asked.Validate(4), "has to ask for something")
	asked.DisconnectShare = 1
	assert.NoError(t, asked.Validate(4))
}
