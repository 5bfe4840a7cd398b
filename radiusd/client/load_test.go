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

// logins is a load of Access-Requests in the closed loop.
func logins() *Logins {
	return &Logins{
		Subjects: subjects(50), Method: MethodPAP, WrongShare: 0.3,
		Pace: Pace{Duration: 300 * time.Millisecond}, Seed: 1,
	}
}

// load asks one server what the source says, from two sockets.
func load(address string, source func(socket, sockets int) Source) *Load {
	return &Load{
		Auth: []string{address}, Acct: []string{address}, Signer: wire.NewSigner(secret),
		Timeout: 5 * time.Second, Tries: 1, Sockets: 2, Window: 16, Source: source,
	}
}

// flood asks for logins.
func flood(address string) (*Load, *Logins) {
	asked := logins()
	return load(address, asked.Source), asked
}

func TestAFloodOfAnHonestServerFindsNothingWrong(t *testing.T) {
	var seen atomic.Int64
	f, asked := flood(respond(t, func(octets []byte) []byte { seen.Add(1); return admit(octets) }))
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
	assert.GreaterOrEqual(t, result.Elapsed, asked.Pace.Duration)
}

func TestAFloodFindsWrongAnswers(t *testing.T) {
	t.Run("a server that lets everybody in", func(t *testing.T) {
		f, _ := flood(respond(t, func(octets []byte) []byte { return reply(octets, wire.AccessAccept) }))
		result, err := f.Run(t.Context())
		require.NoError(t, err)
		assert.Positive(t, result.WrongAccepts)
		assert.Zero(t, result.WrongRejects)
		assert.Equal(t, result.WrongAccepts, result.Wrong())
	})
	t.Run("a server that lets nobody in", func(t *testing.T) {
		f, _ := flood(respond(t, func(octets []byte) []byte { return reply(octets, wire.AccessReject) }))
		result, err := f.Run(t.Context())
		require.NoError(t, err)
		assert.Positive(t, result.WrongRejects)
		assert.Zero(t, result.WrongAccepts)
	})
	t.Run("a server that asks back", func(t *testing.T) {
		f, _ := flood(respond(t, func(octets []byte) []byte { return reply(octets, wire.AccessChallenge) }))
		result, err := f.Run(t.Context())
		require.NoError(t, err)
		assert.Equal(t, result.Sent, result.Wrong())
	})
	t.Run("a policy that lets wrong lines in", func(t *testing.T) {
		f, asked := flood(respond(t, func(octets []byte) []byte { return reply(octets, wire.AccessAccept) }))
		for i := range asked.Subjects {
			asked.Subjects[i].AcceptWrong = true
		}
		result, err := f.Run(t.Context())
		require.NoError(t, err)
		assert.Zero(t, result.Wrong())
	})
}

func TestAFloodCountsBadRepliesAndTimeouts(t *testing.T) {
	f, asked := flood(respond(t, func(octets []byte) []byte {
		if octets[1]%2 == 0 {
			return []byte("short")
		}
		forged := admit(octets)
		forged[4] ^= 1
		return forged
	}))
	f.Sockets, f.Window, asked.Pace.Duration, f.Timeout = 1, 4, 100*time.Millisecond, 50*time.Millisecond
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
	f, asked := flood(respond(t, func(octets []byte) []byte {
		before := unanswered[octets[1]]
		unanswered[octets[1]] = bytes.Clone(octets)
		if before == nil {
			return nil
		}
		late.Add(1)
		return admit(before) // given up on, and its identifier taken by what comes now
	}))
	f.Sockets, f.Window, asked.Pace.Duration, f.Timeout = 1, 150, 700*time.Millisecond, 300*time.Millisecond
	result, err := f.Run(t.Context())
	require.NoError(t, err)
	assert.Equal(t, result.Sent, result.Timeouts)
	assert.Positive(t, result.LateReplies)
	assert.Equal(t, late.Load(), result.LateReplies)
	assert.Zero(t, result.BadReplies)
}

func TestAFloodKnowsRepeatedAnswers(t *testing.T) {
	var answered []byte
	f, asked := flood(respond(t, func(octets []byte) []byte {
		if answered == nil {
			answered = bytes.Clone(octets)
			return admit(octets)
		}
		return admit(answered)
	}))
	f.Sockets, f.Window, asked.Pace.Duration, f.Timeout = 1, 1, 200*time.Millisecond, 50*time.Millisecond
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
	f, asked := flood(address)
	asked.Pace.Duration, f.Timeout = 100*time.Millisecond, 50*time.Millisecond
	result, err := f.Run(t.Context())
	require.NoError(t, err)
	assert.Equal(t, result.Sent, result.Timeouts)
}

func TestALoadAsksOneFamilyOnly(t *testing.T) {
	servers, err := resolve([]string{"[::1]:1", "127.0.0.1:1"})
	require.NoError(t, err)
	network, err := family(servers[:1])
	require.NoError(t, err)
	assert.Equal(t, "udp6", network)
	_, err = family(servers)
	assert.EqualError(t, err, "servers [::1]:1 and 127.0.0.1:1: one is IPv4 and one IPv6, which one socket can't ask")
}

func TestALoadNeedsSense(t *testing.T) {
	for name, spoil := range map[string]func(*Load){
		"no socket":                    func(l *Load) { l.Sockets = 0 },
		"no window":                    func(l *Load) { l.Window = 0 },
		"too wide a window":            func(l *Load) { l.Window = 257 },
		"no try":                       func(l *Load) { l.Tries = 0 },
		"no server":                    func(l *Load) { l.Auth, l.Acct = nil, nil },
		"an address of none":           func(l *Load) { l.Auth = []string{"nowhere"} },
		"an accounting server of none": func(l *Load) { l.Acct = []string{"nowhere"} },
	} {
		t.Run(name, func(t *testing.T) {
			l, _ := flood("127.0.0.1:1")
			spoil(l)
			_, err := l.Run(t.Context())
			assert.Error(t, err)
		})
	}
}

func BenchmarkFlood(b *testing.B) {
	address := respond(b, admit)
	f, asked := flood(address)
	asked.Pace.Duration, f.Window = time.Second, 64
	for b.Loop() {
		result, err := f.Run(b.Context())
		require.NoError(b, err)
		b.ReportMetric(float64(result.Answered())/result.Elapsed.Seconds(), "answers/s")
	}
}
