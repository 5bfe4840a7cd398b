package genieacs

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"linegate"
)

func TestTheShippedRulesCoverWhatTheyClaim(t *testing.T) {
	rules, err := LoadRules("")
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(rules), 6)
	assert.Equal(t, "generic-tr098", rules[len(rules)-1].Name, "what matches all comes last")
	for i := range rules {
		list, warnings, err := rules[i].writes(&linegate.CPESettings{ServiceID: "s1", PPPUsername: "a", PPPPassword: "b"})
		require.NoError(t, err, rules[i].Name)
		assert.Empty(t, warnings)
		assert.GreaterOrEqual(t, len(list), 2, rules[i].Name)
		assert.NotEmpty(t, rules[i].Reset, rules[i].Name)
	}
}

func TestAMistakeInARuleIsNamed(t *testing.T) {
	good := `{set: vlan.id, path: Device.X.Y}`
	cases := map[string]struct{ rules, says string }{
		"no name":               {`[{match: {}}]`, `rule "": name is missing`},
		"a root of its own":     {`[{name: a, match: {root: Gateway}}]`, "match.root"},
		"an unknown key":        {`[{name: a, matches: {}}]`, "matches not found"},
		"a bad expression":      {`[{name: a, match: {model: "("}}]`, "missing closing )"},
		"an unknown setting":    {`[{name: a, settings: [{set: vlan.tag, path: Device.X}]}]`, `settings[0]: set: "vlan.tag" is no setting`},
		"a path without a root": {`[{name: a, settings: [` + good + `, {set: vlan.id, path: X.Y}]}]`, "settings[1]: path"},
		"a path with a space":   {`[{name: a, settings: [{set: vlan.id, path: "Device.X Y"}]}]`, "path"},
		"an unknown type":       {`[{name: a, settings: [{set: vlan.id, path: Device.X, type: "xsd:int"}]}]`, "boolean, int, unsignedInt, string"},
		"an unknown check":      {`[{name: a, settings: [{set: vlan.id, path: Device.X, verify: maybe}]}]`, "value or none"},
		"a bad instance":        {`[{name: a, settings: [{set: vlan.id, path: Device.X, ensure: "Device.[x"}]}]`, "ensure"},
		"an unknown variable":   {`[{name: a, settings: [{set: vlan.id, path: "Device.X", value: "{nothing}"}]}]`, "{nothing} is neither a variable nor a setting"},
		"a reset of nothing":    {`[{name: a, reset: {vlan: "1"}}]`, `reset: "vlan" is no setting`},
		"a bad address":         {`[{name: a, management: "x"}]`, "management"},
		"no list":               {`7`, "cannot unmarshal"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := ParseRules([]byte("rules: " + c.rules))
			require.Error(t, err)
			assert.ErrorContains(t, err, c.says)
		})
	}
	none, err := ParseRules(nil)
	require.NoError(t, err)
	assert.Empty(t, none)
}

func TestRulesOfTheOperatorComeFirstAndFileByFile(t *testing.T) {
	folder := t.TempDir()
	for name, content := range map[string]string{
		"20.yaml": "rules: [{name: second}]", "10.yaml": "rules: [{name: first}]", "notes.txt": "not a rule",
	} {
		require.NoError(t, os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600))
	}
	rules, err := LoadRules(folder)
	require.NoError(t, err)
	assert.Equal(t, []string{"first", "second"}, []string{rules[0].Name, rules[1].Name})
	require.NoError(t, os.WriteFile(filepath.Join(folder, "30.yaml"), []byte("rules: [{}]"), 0o600))
	_, err = LoadRules(folder)
	assert.ErrorContains(t, err, "30.yaml: rule")
	require.NoError(t, os.Mkdir(filepath.Join(folder, "40.yaml"), 0o700))
	require.NoError(t, os.Remove(filepath.Join(folder, "30.yaml")))
	_, err = LoadRules(folder)
	assert.Error(t, err)
}

func TestARuleMatchesWhenAllThatItNamesAgrees(t *testing.T) {
	document := node{
		"_id": "x", "_deviceId": map[string]any{"_OUI": "00AABB", "_ProductClass": "XR 500"},
		"Device": map[string]any{"DeviceInfo": map[string]any{
			"ModelName": map[string]any{"_value": "XR500"}, "SoftwareVersion": map[string]any{"_value": "2.1"},
		}},
	}
	d, err := newDevice(document)
	require.NoError(t, err)
	cases := map[string]bool{
		`{}`:                              true,
		`{root: Device}`:                  true,
		`{root: InternetGatewayDevice}`:   false,
		`{oui: ["00aabb"]}`:               true,
		`{oui: ["00AABC"]}`:               false,
		`{model: "XR.*"}`:                 true,
		`{model: "R500"}`:                 false,
		`{software: "2\\..*"}`:            true,
		`{software: "3\\..*"}`:            false,
		`{product_class: "XR 500"}`:       true,
		`{product_class: "XR 501"}`:       false,
		`{model: XR500, software: "1.*"}`: false,
	}
	for match, want := range cases {
		rules, err := ParseRules([]byte("rules: [{name: a, match: " + match + "}]"))
		require.NoError(t, err, match)
		assert.Equal(t, want, rules[0].matches(&d), match)
	}
}

func TestFormsOfASerial(t *testing.T) {
	cases := map[string][]string{
		"HWTCAABBCC01":     {"HWTCAABBCC01", "48575443AABBCC01"},
		"hwtcaabbcc01":     {"hwtcaabbcc01", "48575443AABBCC01", "HWTCAABBCC01"},
		"48575443AABBCC01": {"48575443AABBCC01", "HWTCAABBCC01"},
		"48575443aabbcc01": {"48575443aabbcc01", "48575443AABBCC01", "HWTCAABBCC01"},
		"0000000000000001": {"0000000000000001"},
		"7070707000000000": {"7070707000000000"}, // vendors have capital letters
		"XR500-0001":       {"XR500-0001"},
	}
	for serial, want := range cases {
		got := serialForms(serial)
		assert.Equal(t, want[0], got[0], serial)
		assert.ElementsMatch(t, want, got, serial)
	}
}

func TestTreesAreReadByPath(t *testing.T) {
	tree := node{"Device": map[string]any{"V": map[string]any{
		"1":       map[string]any{"ID": map[string]any{"_value": float64(900)}, "On": map[string]any{"_value": true}},
		"2":       map[string]any{"ID": map[string]any{"_value": "a.b"}},
		"_object": true,
	}}}
	for path, want := range map[string]string{
		"Device.V.1.ID": "900", "Device.V.[ID:900].On": "true", "Device.V.[ID:a.b].ID": "a.b", "Device.V.[ID:7].ID": "", "Device.W": "", "": "",
	} {
		got, _ := tree.value(path)
		assert.Equal(t, want, got, path)
	}
	_, err := newDevice(node{})
	require.ErrorIs(t, err, linegate.ErrTryAgain)
	broken := device{tree: node{"Device": map[string]any{"ManagementServer": map[string]any{"ConnectionRequestURL": map[string]any{"_value": "http://[::1"}}}}}
	assert.Empty(t, broken.managedAt())
}

func TestAValueThatTheDeviceHasNotSaidSinceIsNotBelieved(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	tree := func(at string) node {
		return node{"Device": map[string]any{"X": map[string]any{"_value": "1", "_timestamp": at, "_writable": true}}}
	}
	list := []write{{path: "Device.X", value: "1", typ: "string", verify: true}, {path: "Device.Hidden"}}
	assert.NoError(t, compare(tree("2026-01-02T03:04:05.000Z"), list, now))
	assert.ErrorIs(t, compare(tree("2026-01-02T03:04:04.999Z"), list, now), linegate.ErrTryAgain)
	assert.ErrorIs(t, compare(tree("yesterday"), list, now), linegate.ErrTryAgain)
}

func TestValuesGoOutInTheirType(t *testing.T) {
	for _, c := range []struct {
		w    write
		want any
	}{
		{write{typ: "boolean", value: "1"}, true},
		{write{typ: "boolean", value: "false"}, false},
		{write{typ: "int", value: "-1"}, int64(-1)},
		{write{typ: "unsignedInt", value: "words"}, "words"},
		{write{typ: "string", value: "7"}, "7"},
	} {
		assert.Equal(t, c.want, c.w.typed())
	}
}

func TestAFaultOfAnyShapeIsRead(t *testing.T) {
	var list []fault
	content := `[{"_id":"a","code":"script.Error","message":"no","detail":{"name":"Error","setParameterValuesFault":"?"},"provisions":"["},
		{"_id":"b","code":"timeout","message":"late","detail":"words","provisions":"[[\"refresh\",\"Device.X\"],[\"value\"],[\"value\",\"Device.X\",1]]"}]`
	require.NoError(t, json.Unmarshal([]byte(content), &list))
	assert.ErrorIs(t, list[0].err(), linegate.ErrRefused)
	assert.ErrorIs(t, list[1].err(), linegate.ErrOutcomeUnknown)
	assert.False(t, list[0].writes([]write{{path: "Device.X"}}))
	assert.True(t, list[1].writes([]write{{path: "Device.X"}}))
}

func FuzzParseRules(f *testing.F) {
	content, err := os.ReadFile("models/shipped.yaml")
	require.NoError(f, err)
	f.Add(content)
	f.Add([]byte(stacked))
	f.Add([]byte("rules: [{name: a, match: {model: '('}}]"))
	f.Fuzz(func(t *testing.T, content []byte) {
		rules, err := ParseRules(content)
		if err != nil {
			return
		}
		for i := range rules {
			settings := full(tr181)
			list, _, err := rules[i].writes(&settings)
			if err != nil {
				continue
			}
			_, err = json.Marshal(provisionsTask("s1", 0, list, time.Hour))
			require.NoError(t, err)
			rules[i].resetOf(list)
			for _, w := range list {
				require.True(t, parameterPath.MatchString(w.path), w.path)
			}
		}
	})
}

func FuzzSerialForms(f *testing.F) {
	f.Add("HWTCAABBCC01")
	f.Add("48575443AABBCC01")
	f.Fuzz(func(t *testing.T, serial string) {
		forms := serialForms(serial)
		require.Equal(t, serial, forms[0])
		require.LessOrEqual(t, len(forms), 3)
		if !deviceName.MatchString(serial) {
			return
		}
		for _, form := range forms {
			require.True(t, deviceName.MatchString(form), form)
			if form != serial {
				require.Contains(t, upper(serialForms(form)), strings.ToUpper(serial), "one leads to the other")
			}
		}
	})
}

func upper(list []string) []string {
	var result []string
	for _, text := range list {
		result = append(result, strings.ToUpper(text))
	}
	return result
}

// FuzzAnswer: whatever a server says, a client must come to an end.
func FuzzAnswer(f *testing.F) {
	f.Add([]byte(`[{"_id":"a-b","_deviceId":{"_OUI":"00259E"},"InternetGatewayDevice":{"_object":true}}]`), []byte(`{"_id":"6b0344d97053a2f57dfe47d4","timestamp":"2026-11-22T19:39:05.049Z"}`), 200)
	f.Add([]byte(`[]`), []byte(`{`), 202)
	f.Add([]byte(`[{"_id":"a","Device":{"V":7}}]`), []byte(`{}`), 503)
	f.Fuzz(func(t *testing.T, read, written []byte, code int) {
		answer := func(r *http.Request) (*http.Response, error) {
			if r.Method == http.MethodGet {
				return &http.Response{StatusCode: 200, Status: "200 OK", Body: io.NopCloser(bytes.NewReader(read))}, nil
			}
			return &http.Response{StatusCode: code, Status: "x", Body: io.NopCloser(bytes.NewReader(written))}, nil
		}
		closed := make(chan time.Time)
		close(closed)
		client, err := Open(Config{URL: "http://acs", Transport: roundTrip(answer), After: func(time.Duration) <-chan time.Time { return closed }})
		require.NoError(t, err)
		for _, device := range []string{tr098, tr181} {
			_, _ = client.Plan(t.Context(), full(device))
			_, _ = client.Apply(t.Context(), full(device))
			_, _ = client.Await(t.Context(), full(device))
			_, _ = client.Remove(t.Context(), full(device))
		}
	})
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
