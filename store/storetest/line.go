package storetest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"linegate"
)

func testLines(t *testing.T, e engine) {
	e.tenants(t, "demo")

	t.Run("circuits are octets and compare as such", func(t *testing.T) {
		circuits := []linegate.Octets{"\x00", "\x00\x00", "\x00\x04\x00\x01\xff", "\xff\xfe\x00a", "caf\xc3\xa9", "caf\xe9", "0x00", " olt1", "OLT1", "olt1"}
		for i, circuit := range circuits {
			e.put(t, onLine("demo", fmt.Sprintf("line%d", i), circuit))
		}
		for i, circuit := range circuits {
			found := e.find(t, "demo", linegate.ByCircuit, string(circuit))
			require.NotNil(t, found.Subscriber, "%q", circuit)
			assert.Equal(t, fmt.Sprintf("line%d", i), found.Subscriber.Username)
			assert.Equal(t, circuit, found.Subscriber.Profile.CircuitID)
		}
	})
	t.Run("a circuit is found in the form of its comparison too", func(t *testing.T) {
		e.put(t, onLine("demo", "alike", "0x0004000A0001FF"))
		form := string(linegate.AppendLineForm(nil, []byte("0x0004000A0001FF")))
		require.NotNil(t, e.find(t, "demo", linegate.ByLineForm, form).Subscriber)
		assert.Equal(t, "alike", e.find(t, "demo", linegate.ByLineForm, form).Subscriber.Username)
		e.put(t, onLine("demo", "alike", "elsewhere"))
		assert.Zero(t, e.find(t, "demo", linegate.ByLineForm, form))
	})
	t.Run("every one of several lines finds the subscriber, until it is given up", func(t *testing.T) {
		several := onLine("demo", "several", "First line")
		several.Profile.MoreLines = linegate.Lines{{CircuitID: "Second line"}, {RemoteID: "no circuit"}, {CircuitID: "First line", RemoteID: "other"}}
		e.put(t, several)
		for _, circuit := range []string{"First line", "Second line"} {
			require.NotNil(t, e.find(t, "demo", linegate.ByCircuit, circuit).Subscriber, circuit)
			require.NotNil(t, e.find(t, "demo", linegate.ByLineForm, strings.ToLower(circuit)).Subscriber, circuit)
		}
		e.put(t, onLine("demo", "thief", "Second line"))
		assert.True(t, e.find(t, "demo", linegate.ByCircuit, "Second line").Ambiguous)
		e.delete(t, "demo", "thief")
		e.put(t, onLine("demo", "several", "First line"))
		assert.Zero(t, e.find(t, "demo", linegate.ByCircuit, "Second line"))
		assert.Zero(t, e.find(t, "demo", linegate.ByLineForm, "second line"))
	})
	t.Run("no line of a deleted subscriber is left in anybody's way", func(t *testing.T) {
		leaver := onLine("demo", "leaver", "left first")
		leaver.Profile.MoreLines = linegate.Lines{{CircuitID: "left second"}, {CircuitID: "left third"}}
		e.put(t, leaver)
		e.delete(t, "demo", "leaver")
		for _, circuit := range []string{"left first", "left second", "left third"} {
			assert.Zero(t, e.find(t, "demo", linegate.ByCircuit, circuit), circuit)
			assert.Zero(t, e.find(t, "demo", linegate.ByLineForm, circuit), circuit)
		}
		e.put(t, onLine("demo", "leaver", "left first"))
		e.put(t, onLine("demo", "successor", "left second"))
		assert.Zero(t, e.find(t, "demo", linegate.ByCircuit, "left third"))
		require.NotNil(t, e.find(t, "demo", linegate.ByCircuit, "left second").Subscriber)
		assert.Equal(t, "successor", e.find(t, "demo", linegate.ByCircuit, "left second").Subscriber.Username)
	})
	t.Run("a pattern is no line to be found by", func(t *testing.T) {
		pattern := onLine("demo", "pattern", "olt9 *")
		pattern.Credential = linegate.Credential{Kind: linegate.CredentialCleartext, Value: "secretpw"}
		pattern.Profile.LineMatch = linegate.MatchGlob
		e.put(t, pattern)
		assert.Zero(t, e.find(t, "demo", linegate.ByLineForm, "olt9 *"))
	})
	t.Run("a moved line leaves no trace at the old circuit", func(t *testing.T) {
		e.put(t, onLine("demo", "mover", "from"))
		e.put(t, onLine("demo", "mover", "to"))
		assert.Zero(t, e.find(t, "demo", linegate.ByCircuit, "from"))
		assert.NotNil(t, e.find(t, "demo", linegate.ByCircuit, "to").Subscriber)
	})
}
