package client

import (
	"bytes"
	"fmt"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"linegate/radiusd/wire"
)

// subjects have their own name as their line, and "elsewhere" as a wrong one.
func subjects(count int) []Subject {
	all := make([]Subject, count)
	for i := range all {
		name := fmt.Sprintf("user%d", i)
		all[i] = Subject{
			UserName: name, Password: "secretpw",
			Right: wire.AppendText(nil, wire.NASPortID, name),
			Wrong: wire.AppendText(nil, wire.NASPortID, "elsewhere"),
		}
	}
	return all
}

// admit accepts who comes from the own line with the right password.
func admit(octets []byte) []byte {
	request, err := wire.Parse(octets)
	if err != nil {
		return nil
	}
	password, _ := wire.NewSigner(secret).RevealPassword(nil, request.Find(wire.UserPassword), request.Authenticator())
	if string(password) == "secretpw" && bytes.Equal(request.Find(wire.UserName), request.Find(wire.NASPortID)) {
		return reply(octets, wire.AccessAccept)
	}
	return reply(octets, wire.AccessReject)
}

func flood(address string) *Flood {
	return &Flood{
		Server: Server{Address: address, Signer: wire.NewSigner(secret), Timeout: 5 * time.Second},
		Method: MethodPAP, Subjects: subjects(50), WrongShare: 0.3,
		Duration: 300 * time.Millisecond, Sockets: 2, Window: 16, Seed: 1,
	}
}

func TestAFloodOfAnHonestServerFindsNothingWrong(t *testing.T) {
	var seen atomic.Int64
	f := flood(respond(t, func(octets []byte) []byte { seen.Add(1); return admit(octets) }))
	var last Counts
	f.Observe = func(_ time.Duration, counts Counts) { last = counts }
	result, err := f.Run(t.Context())
	require.NoError(t, err)

	assert.Zero(t, result.Wrong())
	assert.Zero(t, result.BadReplies)
	assert.Zero(t, result.Timeouts)
	assert.Equal(t, uint64(seen.Load()), result.Sent)
	assert.Equal(t, result.Sent, result.Answered())
	assert.Equal(t, int64(result.Answered()), result.Latency.TotalCount())
	assert.Greater(t, result.Sent, uint64(100))
	assert.InDelta(t, 0.3, float64(result.Rejects)/float64(result.Sent), 0.15)
	assert.Equal(t, result.Counts, last, "the observer sees the end")
	assert.GreaterOrEqual(t, result.Elapsed, f.Duration)
}

func TestAFloodFindsWrongAnswers(t *testing.T) {
	t.Run("a server that lets everybody in", func(t *testing.T) {
		f := flood(respond(t, func(octets []byte) []byte { return reply(octets, wire.AccessAccept) }))
		result, err := f.Run(t.Context())
		require.NoError(t, err)
		assert.Positive(t, result.WrongAccepts)
		assert.Zero(t, result.WrongRejects)
		assert.Equal(t, result.WrongAccepts, result.Wrong())
	})
	t.Run("a server that lets nobody in", func(t *testing.T) {
		f := flood(respond(t, func(octets []byte) []byte { return reply(octets, wire.AccessReject) }))
		result, err := f.Run(t.Context())
		require.NoError(t, err)
		assert.Positive(t, result.WrongRejects)
		assert.Zero(t, result.WrongAccepts)
	})
	t.Run("a server that asks back", func(t *testing.T) {
		f := flood(respond(t, func(octets []byte) []byte { return reply(octets, wire.AccessChallenge) }))
		result, err := f.Run(t.Context())
		require.NoError(t, err)
		assert.Equal(t, result.Sent, result.Wrong())
	})
	t.Run("a policy that lets wrong lines in", func(t *testing.T) {
		f := flood(respond(t, func(octets []byte) []byte { return reply(octets, wire.AccessAccept) }))
		for i := range f.Subjects {
			f.Subjects[i].AcceptWrong = true
		}
		result, err := f.Run(t.Context())
		require.NoError(t, err)
		assert.Zero(t, result.Wrong())
	})
}

func TestAFloodCountsBadRepliesAndTimeouts(t *testing.T) {
	f := flood(respond(t, func(octets []byte) []byte {
		if octets[1]%2 == 0 {
			return []byte("short")
		}
		forged := admit(octets)
		forged[4] ^= 1
		return forged
	}))
	f.Sockets, f.Window, f.Duration, f.Server.Timeout = 1, 4, 100*time.Millisecond, 50*time.Millisecond
	result, err := f.Run(t.Context())
	require.NoError(t, err)
	assert.Equal(t, result.Sent, result.Timeouts)
	assert.Equal(t, result.Sent, result.BadReplies)
	assert.Zero(t, result.Answered())
	assert.Zero(t, result.LateReplies)
}

func TestAFloodKnowsLateAnswers(t *testing.T) {
	var late atomic.Uint64
	unanswered := map[byte][]byte{} // by identifier
	f := flood(respond(t, func(octets []byte) []byte {
		before := unanswered[octets[1]]
		unanswered[octets[1]] = bytes.Clone(octets)
		if before == nil {
			return nil
		}
		late.Add(1)
		return admit(before) // given up on, and its identifier taken by what comes now
	}))
	f.Sockets, f.Window, f.Duration, f.Server.Timeout = 1, 150, 200*time.Millisecond, 40*time.Millisecond
	result, err := f.Run(t.Context())
	require.NoError(t, err)
	assert.Equal(t, result.Sent, result.Timeouts)
	assert.Positive(t, result.LateReplies)
	assert.Equal(t, late.Load(), result.LateReplies)
	assert.Zero(t, result.BadReplies)
}

func TestAFloodKnowsRepeatedAnswers(t *testing.T) {
	var answered []byte
	f := flood(respond(t, func(octets []byte) []byte {
		if answered == nil {
			answered = bytes.Clone(octets)
			return admit(octets)
		}
		return admit(answered)
	}))
	f.Sockets, f.Window, f.Duration, f.Server.Timeout = 1, 1, 200*time.Millisecond, 50*time.Millisecond
	result, err := f.Run(t.Context())
	require.NoError(t, err)
	assert.Equal(t, uint64(1), result.Answered())
	assert.Equal(t, result.Sent-1, result.LateReplies)
	assert.Zero(t, result.BadReplies)
}

func TestAFloodGoesOnWhereNobodyListens(t *testing.T) {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	address := conn.LocalAddr().String()
	conn.Close()
	f := flood(address)
	f.Duration, f.Server.Timeout = 100*time.Millisecond, 50*time.Millisecond
	result, err := f.Run(t.Context())
	require.NoError(t, err)
	assert.Equal(t, result.Sent, result.Timeouts)
}

func TestAFloodWorksOverIPv6(t *testing.T) {
	_, _, err := dialBatch("[::1]:1")
	assert.NoError(t, err)
}

func TestAFloodNeedsSense(t *testing.T) {
	for name, spoil := range map[string]func(*Flood){
		"no subject":         func(f *Flood) { f.Subjects = nil },
		"no socket":          func(f *Flood) { f.Sockets = 0 },
		"no window":          func(f *Flood) { f.Window = 0 },
		"too wide a window":  func(f *Flood) { f.Window = 257 },
		"an address of none": func(f *Flood) { f.Server.Address = "nowhere" },
	} {
		t.Run(name, func(t *testing.T) {
			f := flood("127.0.0.1:1")
			spoil(f)
			_, err := f.Run(t.Context())
			assert.Error(t, err)
		})
	}
}

func BenchmarkFlood(b *testing.B) {
	address := respond(b, admit)
	f := flood(address)
	f.Duration, f.Window = time.Second, 64
	for b.Loop() {
		result, err := f.Run(b.Context())
		require.NoError(b, err)
		b.ReportMetric(float64(result.Answered())/result.Elapsed.Seconds(), "answers/s")
	}
}
