package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// foreignNAS is the NAS of testdata/coa/nas.py at work: one that is no code of ours.
type foreignNAS struct {
	port string

	mu       sync.Mutex
	requests []map[string]any
}

func startForeignNAS(t *testing.T) *foreignNAS {
	t.Helper()
	const python = repository + "/bin/pyrad/bin/python"
	require.FileExists(t, python, "run: make tools")
	command := exec.Command(python, repository+"/testdata/coa/nas.py", "nas secret")
	command.Stderr = os.Stderr
	out, err := command.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, command.Start())
	lines := bufio.NewScanner(out)
	require.True(t, lines.Scan(), "the NAS says no port")
	n := &foreignNAS{port: lines.Text()}
	read := make(chan struct{})
	go func() {
		defer close(read)
		for lines.Scan() {
			var request map[string]any
			if json.Unmarshal(lines.Bytes(), &request) == nil {
				n.mu.Lock()
				n.requests = append(n.requests, request)
				n.mu.Unlock()
			}
		}
	}()
	t.Cleanup(func() { _ = command.Process.Kill(); <-read; _ = command.Wait() })
	return n
}

// of returns what the NAS got for a session so far, as JSON.
func (n *foreignNAS) of(session string) (got []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, request := range n.requests {
		text, _ := json.Marshal(request)
		if strings.Contains(string(text), fmt.Sprintf("%q", session)) {
			got = append(got, string(text))
		}
	}
	return got
}

// startRelay is startServer with a relay for radclient, and the demo NAS set up to
// take changes at the foreign one's port.
func startRelay(t *testing.T, more ...string) (*instance, *foreignNAS) {
	t.Helper()
	nas := startForeignNAS(t)
	s := startServer(t, append([]string{"LINEGATE_LISTEN_COA=127.0.0.1:0", "LINEGATE_COA_TIMEOUT=1s",
		"LINEGATE_COA_CLIENTS=address=127.0.0.1 tenant=demo secret=testing123"}, more...)...)
	s.cli("nas", "add", "local", "--coa-port", nas.port, "--coa-secret", "nas secret")
	return s, nas
}

// online begins a session of a subscriber; its Acct-Session-Id tells the foreign
// NAS what to answer.
func (s *instance) online(user, acctSessionID, address string) {
	s.Helper()
	answer := s.radclient(s.acct, "acct", fmt.Sprintf(`Acct-Status-Type=Start,Acct-Session-Id="%s",User-Name=%s,Framed-IP-Address=%s,NAS-IP-Address=127.0.0.1`,
		acctSessionID, user, address))
	require.Contains(s, answer, "Accounting-Response")
}

// TestTheRelayOverRadclient is the way of a back office's request to the NAS and
// back, on the real binary with real clients at both ends.
func TestTheRelayOverRadclient(t *testing.T) {
	s, nas := startRelay(t)
	s.online("alice", "ack alice", "100.64.0.11")
	s.online("bob", "nak 504", "100.64.0.12")
	s.online("carol", "silent", "100.64.0.13")
	s.online("erin", "ack erin 1", "100.64.0.14")
	s.online("erin", "ack erin 2", "100.64.0.15")
	s.within(10*time.Second, func() bool { // the NAS entry is followed
		return strings.Contains(s.radclient(s.coa, "disconnect", "User-Name=alice"), "Disconnect-ACK")
	}, "the relay reaches the NAS")

	for name, test := range map[string]struct {
		kind, request string
		answer        []string
		session       string // that the NAS was asked about; empty: it was not asked
		told          string
	}{
		"a disconnect": {"disconnect", "User-Name=alice,Framed-IP-Address=100.64.0.11,Proxy-State=0x0102",
			[]string{"Disconnect-ACK", "Proxy-State = 0x0102"}, "ack alice", `"code":40`},
		"a filter": {"coa", "User-Name=alice,Filter-Id=garden", []string{"CoA-ACK"}, "ack alice", `"Filter-Id":["garden"]`},
		"a VLAN by generic attributes": {"coa", "Framed-IP-Address=100.64.0.11,Tunnel-Type:1=VLAN,Tunnel-Medium-Type:1=IEEE-802,Tunnel-Private-Group-Id:1=333",
			[]string{"CoA-ACK"}, "ack alice", `"Tunnel-Private-Group-Id":["333"]`},
		"a rate in our own attributes": {"coa", "User-Name=alice,X-Download-Kbps=50000,X-Upload-Kbps=10000", []string{"CoA-ACK"}, "ack alice", `"code":43`},
		"a timeout, signed": {"coa", `User-Name=alice,Session-Timeout=60,Event-Timestamp="` + time.Now().UTC().Format("Jan 2 2006 15:04:05 UTC") + `",Message-Authenticator=0x00`,
			[]string{"CoA-ACK", "Message-Authenticator"}, "ack alice", `"Session-Timeout":[60]`},
		"a refusal of the NAS":        {"coa", "User-Name=bob,Filter-Id=x", []string{"CoA-NAK", "Error-Cause = Session-Context-Not-Removable"}, "nak 504", ""},
		"a NAS that says nothing":     {"disconnect", "User-Name=carol", []string{"Disconnect-NAK", "Error-Cause = Proxy-Processing-Error"}, "silent", ""},
		"nobody":                      {"disconnect", "User-Name=nobody", []string{"Disconnect-NAK", "Error-Cause = Session-Context-Not-Found"}, "", ""},
		"two sessions":                {"disconnect", "User-Name=erin", []string{"Disconnect-NAK", "Error-Cause = Multiple-Session-Selection-Unsupported"}, "", ""},
		"one of two sessions":         {"disconnect", `User-Name=erin,Acct-Session-Id="ack erin 2"`, []string{"Disconnect-ACK"}, "ack erin 2", `"code":40`},
		"an attribute we don't relay": {"coa", "User-Name=alice,Idle-Timeout=3", []string{"CoA-NAK", "Error-Cause = Unsupported-Attribute"}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			answer := s.radclient(s.coa, test.kind, test.request)
			for _, text := range test.answer {
				assert.Contains(t, answer, text)
			}
			if test.session != "" {
				s.within(10*time.Second, func() bool {
					got := strings.Join(nas.of(test.session), "\n")
					return strings.Contains(got, test.told) && strings.Contains(got, `"signature_right":true`)
				}, "what the NAS was told")
			}
		})
	}
	_, metrics := s.get("/metrics")
	assert.Contains(t, metrics, `radius_vlan_changes_total{success="true",tenant_id="demo"} 1`)
	assert.Contains(t, metrics, `radius_coa_total{kind="disconnect",outcome="timeout",tenant_id="demo"} 1`)
	assert.Contains(t, metrics, `radius_coa_relay_drops_total{reason="bad_authenticator"} 0`)
	s.stop()
	var refused map[string]any
	for _, event := range s.log.events(s, "coa_change") {
		if event["username"] == "bob" {
			refused = event
		}
	}
	assert.Equal(t, "nak", refused["outcome"])
	assert.EqualValues(t, 504, refused["error_cause"])
	for _, line := range s.log.all() {
		assert.NotContains(t, line, "nas secret")
		assert.NotContains(t, line, "testing123")
	}
}

func TestCoACommandsChangeLiveSessions(t *testing.T) {
	s, nas := startRelay(t)
	s.online("alice", "ack alice", "100.64.0.11")
	s.online("bob", "nak 401", "100.64.0.12")
	s.online("carol", "silent", "100.64.0.13")

	out := s.cli("coa", "rate", "--user", "alice", "--download-kbps", "200000", "--upload-kbps", "50000")
	assert.Contains(t, out, "acked")
	assert.Contains(t, out, "1 selected, 1 acked")
	assert.Contains(t, s.cli("coa", "disconnect", "--session", "ack alice"), "1 acked")
	assert.Contains(t, s.cli("coa", "vlan", "--user", "alice"), "1 acked", "the VLAN of the profile")

	out = s.failing(2, "coa", "rate", "--user", "bob", "--download-kbps", "1000", "--upload-kbps", "1000")
	assert.Contains(t, out, "401 Unsupported-Attribute")
	assert.Contains(t, out, "the wrong dialect")
	out = s.failing(2, "coa", "disconnect", "--all", "--where", "user=carol", "--output", "json")
	var summary struct {
		Selected, Timeout int
		Sessions          []map[string]any
	}
	require.NoError(t, json.Unmarshal([]byte(out), &summary), out)
	assert.Equal(t, 1, summary.Timeout)
	require.Len(t, summary.Sessions, 1)
	assert.Equal(t, "carol", summary.Sessions[0]["username"])

	before := len(nas.of("ack alice"))
	out = s.failing(2, "coa", "disconnect", "--all", "--key", "night-1", "--rate", "100/s", "--yes")
	assert.Contains(t, out, "3 selected, 1 acked, 1 nak, 1 timeout")
	out = s.failing(2, "coa", "disconnect", "--all", "--key", "night-1", "--rate", "100/s", "--yes")
	assert.Contains(t, out, "3 selected, 1 done_before, 1 nak, 1 timeout")
	assert.Len(t, nas.of("ack alice"), before+1, "what was acked is not asked for again")
	assert.Contains(t, s.failing(1, "coa", "resume", "--all", "--key", "night-1"), "was used for another change")
	assert.Contains(t, s.cli("coa", "disconnect", "--all", "--dry-run"), "to_change")
}

func TestAChangeOfAProfileIsPushedToItsSessions(t *testing.T) {
	s, nas := startRelay(t)
	s.online("alice", "ack alice", "100.64.0.11")
	s.cli("profile", "set", "alice", "--download-kbps", "70000")
	assert.Empty(t, nas.of("ack alice"), "nobody asked for a push")
	s.cli("profile", "set", "alice", "--download-kbps", "80000", "--push")
	assert.Len(t, nas.of("ack alice"), 1)
	s.cli("profile", "set", "alice", "--framed-pool", "p", "--push")
	assert.Len(t, nas.of("ack alice"), 1, "a pool counts from the next session on")

	s.cli("apply", "-f", s.file("pushing.yaml", "tenants: [{name: demo, push_changes: true}]\n"))
	s.cli("profile", "set", "alice", "--service-vlan", "111")
	s.within(30*time.Second, func() bool { return len(nas.of("ack alice")) == 2 }, "the server pushes")
	assert.Contains(t, nas.of("ack alice")[1], `"Tunnel-Private-Group-Id":["111"]`)
	s.cli("profile", "set", "alice", "--status", "suspended", "--push")
	s.cli("profile", "delete", "alice")
	s.within(30*time.Second, func() bool { return len(nas.of("ack alice")) == 4 }, "once for each change, by command or server")
	last := nas.of("ack alice")
	assert.Contains(t, last[2], `"code":40`, "suspended without a walled garden")
	assert.Contains(t, last[3], `"code":40`, "deleted")
}
