package radiusd_test

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"

	"linegate"
	"linegate/radiusd"
	"linegate/radiusd/wire"
)

// lockedBuffer is a log that is read while it is written.
type lockedBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// line is an Access-Request without a name, from a circuit.
func (b *bench) line(circuit string) []byte {
	return b.access(func(raw []byte, _ [16]byte) []byte { return wire.AppendVendorAttribute(raw, 3561, 1, []byte(circuit)) })
}

// awaitCount waits until a counter has a value: it is counted after the answer went.
func (b *bench) awaitCount(name string, want float64) {
	b.Helper()
	assert.Eventually(b, func() bool { return b.count(name, nil) == want }, waitLimit, pollInterval, name)
}

// awaitLog waits until the log holds a text.
func (b *bench) awaitLog(log *lockedBuffer, text string) {
	b.Helper()
	assert.Eventually(b, func() bool { return strings.Contains(log.String(), text) }, waitLimit, pollInterval, text)
}

func onCircuit(name string, circuit linegate.Octets) *linegate.Subscriber {
	subscriber := &linegate.Subscriber{ID: "018f0000-0000-7000-8000-0000000000" + name, Tenant: "demo", Username: name,
		Profile: &linegate.NetworkProfile{CircuitID: circuit, Option82Policy: linegate.Option82Enforce}}
	subscriber.Normalize()
	return subscriber
}

func TestALineIsFoundInTheFormsThatTheNASLetsCount(t *testing.T) {
	for name, test := range map[string]struct {
		nas     linegate.LineMatch
		profile linegate.LineMatch
		code    wire.Code
	}{
		"octets are all that counts":  {0, 0, wire.AccessReject},
		"the NAS lets more count":     {linegate.MatchFold | linegate.MatchHex, 0, wire.AccessAccept},
		"the profile lets more count": {0, linegate.MatchFold | linegate.MatchHex, wire.AccessAccept},
		"the profile lets less count": {linegate.MatchFold | linegate.MatchHex, linegate.MatchExact, wire.AccessReject},
		"something else counts":       {linegate.MatchTrim, 0, wire.AccessReject},
	} {
		t.Run(name, func(t *testing.T) {
			b := start(t, func(n *linegate.NAS, _ *radiusd.Options) { n.LineMatch = test.nas })
			subscriber := onCircuit("10", "4F4C5431")
			subscriber.Profile.LineMatch = test.profile
			b.directory.put(b.directory.known, subscriber)
			assert.Equal(t, test.code, b.ask(radiusd.AuthPort, b.line("olt1")).Code())
		})
	}
}

func TestAMismatchSaysWhoseLineItCameFrom(t *testing.T) {
	log := &lockedBuffer{}
	b := start(t, func(_ *linegate.NAS, o *radiusd.Options) { o.Logger = slog.New(slog.NewJSONHandler(log, nil)) })
	b.alice()
	b.directory.put(b.directory.known, onCircuit("20", "olt2"))

	assert.Equal(t, wire.AccessReject, b.ask(radiusd.AuthPort, b.pap("alice", "secretpw", "olt2")).Code())
	b.awaitCount("radius_line_moves_total", 1)
	b.awaitLog(log, `"event":"line_moved"`)
	b.awaitLog(log, `"line_owner":"20"`)

	assert.Equal(t, wire.AccessReject, b.ask(radiusd.AuthPort, b.pap("alice", "secretpw", "nobody's")).Code())
	b.awaitCount("radius_line_moves_total", 1)
}

func TestASharedLineIsAnAlarm(t *testing.T) {
	log := &lockedBuffer{}
	b := start(t, func(_ *linegate.NAS, o *radiusd.Options) { o.Logger = slog.New(slog.NewJSONHandler(log, nil)) })
	b.alice()
	b.directory.change(func() {
		b.directory.known[linegate.NewKey("demo", linegate.ByCircuit, "olt2")] = linegate.Lookup{Ambiguous: true}
	})
	assert.Equal(t, wire.AccessReject, b.ask(radiusd.AuthPort, b.line("olt2")).Code())
	b.awaitCount("radius_shared_lines_total", 1)
	assert.Equal(t, wire.AccessReject, b.ask(radiusd.AuthPort, b.pap("alice", "secretpw", "olt2")).Code())
	b.awaitCount("radius_shared_lines_total", 2)
	b.awaitLog(log, `"event":"line_shared"`)
}

func TestCarriersThatDisagreeAreCountedAndLoggedOnce(t *testing.T) {
	log := &lockedBuffer{}
	b := start(t, func(_ *linegate.NAS, o *radiusd.Options) { o.Logger = slog.New(slog.NewJSONHandler(log, nil)) })
	for range 3 {
		b.ask(radiusd.AuthPort, b.access(func(raw []byte, _ [16]byte) []byte {
			raw = wire.AppendVendorAttribute(raw, 3561, 1, []byte("olt1"))
			return wire.AppendVendorAttribute(raw, 2352, 97, []byte("olt2"))
		}))
	}
	b.awaitCount("radius_carrier_conflicts_total", 3)
	b.awaitLog(log, `"event":"carrier_conflict"`)
	assert.Equal(t, 1, strings.Count(log.String(), `"event":"carrier_conflict"`))
}

// known is a Finder in memory.
type known map[linegate.Key]linegate.Lookup

func (k known) Find(key []byte, _ *linegate.Room) (linegate.Lookup, bool) {
	return k[linegate.Key(key)], true
}

func TestWhoOnlyLooksAlikeIsNotFound(t *testing.T) {
	finder := known{}
	for _, key := range onCircuit("10", "OLT1").Keys() {
		finder[key] = linegate.Lookup{Subscriber: onCircuit("10", "OLT1")}
	}
	request := &linegate.Request{NAS: &linegate.NAS{Tenant: "demo", Identify: linegate.DefaultIdentities()},
		Line: linegate.AccessLine{CircuitID: []byte("olt1")}}
	facts, _ := radiusd.Identify(request, finder, &radiusd.Scratch{})
	assert.Nil(t, facts.Subscriber)
	request.NAS.LineMatch = linegate.MatchFold
	facts, _ = radiusd.Identify(request, finder, &radiusd.Scratch{})
	assert.Equal(t, "10", facts.Subscriber.Username)
	assert.Equal(t, linegate.ByCircuit, facts.FoundBy)

	finder[linegate.NewKey("demo", linegate.ByLineForm, "olt1")] = linegate.Lookup{Ambiguous: true}
	facts, _ = radiusd.Identify(request, finder, &radiusd.Scratch{})
	assert.True(t, facts.Ambiguous)
	request.NAS.LineMatch = 0
	facts, _ = radiusd.Identify(request, finder, &radiusd.Scratch{})
	assert.False(t, facts.Ambiguous, "octets are what counts here, and they are nobody's")
}
