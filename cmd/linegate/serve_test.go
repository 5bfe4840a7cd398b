package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const aliceLine = `ADSL-Agent-Circuit-Id="olt1 xpon 0/1/1",ADSL-Agent-Remote-Id="ONT1"`

// What the demo data promises, asked by the real radclient.
func TestDemoSubscribersOverRadclient(t *testing.T) {
	s := startServer(t)
	for name, test := range map[string]struct {
		request  string
		holds    []string
		holdsNot []string
	}{
		"alice from her own line": {`User-Name=alice,User-Password=secretpw,` + aliceLine,
			[]string{"Access-Accept", "Tunnel-Type:0 = VLAN", "Tunnel-Medium-Type:0 = IEEE-802", `Tunnel-Private-Group-Id:0 = "101"`,
				"Framed-IP-Address = 100.64.0.11", "Delegated-IPv6-Prefix = 2001:db8:100::/56", `X-IPv6-Assignment-Mode = "dual_stack"`, "Class = 0x"},
			[]string{"X-QinQ"}},
		"alice by CHAP":              {`User-Name=alice,CHAP-Password=secretpw,` + aliceLine, []string{"Access-Accept"}, nil},
		"alice from another circuit": {`User-Name=alice,User-Password=secretpw,ADSL-Agent-Circuit-Id="olt1 xpon 0/1/9",ADSL-Agent-Remote-Id=ONT1`, []string{"Access-Reject"}, []string{"Framed-IP"}},
		"alice without Option 82":    {`User-Name=alice,User-Password=secretpw`, []string{"Access-Reject"}, nil},
		"alice, wrong password":      {`User-Name=alice,User-Password=wrong,` + aliceLine, []string{"Access-Reject"}, nil},
		"alice, wrong CHAP":          {`User-Name=alice,CHAP-Password=wrong,` + aliceLine, []string{"Access-Reject"}, nil},
		"bob from another line": {`User-Name=bob,User-Password=secretpw,ADSL-Agent-Circuit-Id="elsewhere",ADSL-Agent-Remote-Id=ONT2`,
			[]string{"Access-Accept", `Tunnel-Private-Group-Id:0 = "102"`, "X-QinQ-Inner-VLAN = 202", "X-QinQ-Enabled = Yes"}, nil},
		"carol from any line":   {`User-Name=carol,User-Password=secretpw,ADSL-Agent-Circuit-Id="any"`, []string{"Access-Accept", "Framed-IPv6-Prefix = 2001:db8:200:1::/64"}, nil},
		"dave is suspended":     {`User-Name=dave,User-Password=secretpw`, []string{"Access-Reject", "suspended"}, nil},
		"erin":                  {`User-Name=erin,User-Password=secretpw`, []string{"Access-Accept", "Framed-IPv6-Address = 2001:db8:300::5"}, nil},
		"frank by circuit":      {`NAS-IP-Address=127.0.0.1,ADSL-Agent-Circuit-Id="olt1 xpon 0/1/6"`, []string{"Access-Accept", `User-Name = "frank"`}, nil},
		"frank as accel-ppp":    {`User-Name="02:00:00:00:01:01",User-Password="02:00:00:00:01:01",ADSL-Agent-Circuit-Id="olt1 xpon 0/1/6"`, []string{"Access-Accept"}, nil},
		"frank from elsewhere":  {`User-Name=frank,ADSL-Agent-Circuit-Id="olt1 xpon 0/1/7"`, []string{"Access-Reject"}, nil},
		"nobody from elsewhere": {`NAS-IP-Address=127.0.0.1,ADSL-Agent-Circuit-Id="olt1 xpon 0/1/7"`, []string{"Access-Reject"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			answer := s.login(test.request)
			for _, text := range test.holds {
				assert.Contains(t, answer, text)
			}
			for _, text := range test.holdsNot {
				assert.NotContains(t, answer, text)
			}
		})
	}
	assert.Contains(t, s.radclient(s.auth, "status", "Message-Authenticator=0x00"), "Access-Accept")
	assert.Contains(t, s.radclient(s.acct, "status", "Message-Authenticator=0x00"), "Accounting-Response")
	s.stop()

	var mismatches []map[string]any
	for _, event := range s.log.events(s, "option82_mismatch") {
		if event["username"] == "bob" {
			mismatches = append(mismatches, event)
		}
	}
	require.Len(t, mismatches, 1, "one event for bob")
	assert.Equal(t, "medium", mismatches[0]["severity"])
	assert.Equal(t, []any{"circuit_id"}, mismatches[0]["mismatch_fields"])
	for _, line := range s.log.all() {
		assert.NotContains(t, line, "secretpw")
		assert.NotContains(t, line, "testing123")
	}
}

func TestMetricsHealthAndBookkeeping(t *testing.T) {
	s := startServer(t)
	s.login(`User-Name=bob,User-Password=secretpw,ADSL-Agent-Circuit-Id="elsewhere",ADSL-Agent-Remote-Id=ONT2`)
	s.login(`User-Name=alice,User-Password=secretpw,` + aliceLine)
	s.radclient(s.acct, "acct", `Acct-Status-Type=Start,Acct-Session-Id=s1,User-Name=alice,`+aliceLine)

	status, metrics := s.get("/metrics")
	assert.Equal(t, http.StatusOK, status)
	for _, line := range []string{
		`radius_option82_validations_total{action="accept",policy="log",result="mismatch",tenant_id="demo"} 1`,
		`radius_option82_mismatches_total{field="circuit_id",policy="log",tenant_id="demo"} 1`,
		`radius_vlan_assignments_total{tenant_id="demo",vlan_type="qinq"} 1`,
		`radius_vlan_assignments_total{tenant_id="demo",vlan_type="single"} 1`,
		`radius_ipv6_assignments_total{mode="dual_stack",tenant_id="demo"} 1`,
		`radius_static_ip_assignments_total{ip_version="4",tenant_id="demo"} 1`,
		`radius_access_request_validation_duration_seconds_count{result="accept",tenant_id="demo"} 2`,
		`radius_accounting_events_total{status="start",tenant_id="demo"} 1`,
		`radius_replies_total{code="access_accept",tenant_id="demo"} 2`,
	} {
		assert.Contains(t, metrics, line+"\n")
	}
	for _, path := range []string{"/healthz", "/readyz"} {
		s.within(30*time.Second, func() bool {
			status, _ := s.get(path)
			return status == http.StatusOK
		}, path) // a slow commit takes accounting through the spool
	}
	shown := ""
	s.within(10*time.Second, func() bool {
		shown = s.cli("profile", "get", "bob", "--output", "json")
		return strings.Contains(shown, `"option82_mismatch_count": 1`)
	}, "bookkeeping of bob")
	assert.Contains(t, shown, `"last_validation_result": "mismatch"`)
	assert.NotContains(t, shown, "secretpw")

	sessions := ""
	s.within(30*time.Second, func() bool {
		sessions = s.cli("session", "list", "--active", "--output", "json")
		return strings.Contains(sessions, `"acct_session_id": "s1"`)
	}, "the session")
	assert.Contains(t, sessions, `"service_vlan": 101`)
	s.within(30*time.Second, func() bool {
		_, metrics := s.get("/metrics")
		return strings.Contains(metrics, `radius_active_subscribers_by_vlan{tenant_id="demo",vlan_id="101"} 1`)
	}, "gauge of active subscribers")
}

func TestAChangeThroughTheCLIIsEnforcedWithinASecond(t *testing.T) {
	s := startServer(t)
	request := `User-Name=alice,User-Password=secretpw,` + aliceLine
	require.Contains(t, s.login(request), `"101"`)

	s.cli("profile", "set", "alice", "--service-vlan", "150", "--circuit-id", "olt1 xpon 0/1/1")
	s.within(time.Second, func() bool { return strings.Contains(s.login(request), `"150"`) }, "new VLAN")
	s.cli("profile", "set", "alice", "--circuit-id", "olt2 xpon 0/9/9")
	s.within(time.Second, func() bool { return strings.Contains(s.login(request), "Access-Reject") }, "the old line is refused")
	s.cli("profile", "delete", "alice", "--yes")
	s.within(time.Second, func() bool { return strings.Contains(s.login(request), "unknown name") }, "deleted")
	s.cli("profile", "set", "newcomer", "--password", "secretpw")
	s.within(time.Second, func() bool {
		return strings.Contains(s.login(`User-Name=newcomer,User-Password=secretpw`), "Access-Accept")
	}, "a new subscriber")
	s.cli("nas", "remove", "local", "--yes")
	s.log.await(s, "nas_deleted")
	assert.Empty(t, s.login(request), "no answer for a NAS that was removed")

	audit := s.cli("profile", "audit", "alice", "--output", "json")
	assert.Contains(t, audit, `"field": "service_vlan"`)
	assert.Contains(t, audit, `"new": "150"`)
	s.stop()
	updates := s.log.events(s, "network_profile_updated")
	require.Len(t, updates, 2)
	assert.Contains(t, fmt.Sprint(updates[0]["changes"]), "service_vlan")
	assert.NotEmpty(t, updates[0]["actor"])
}

func TestExplainTouchesNothing(t *testing.T) {
	s := startServer(t)
	explained := s.cli("explain", "--user", "alice", "--circuit", "olt1 xpon 0/1/9", "--remote", "ONT1")
	assert.Contains(t, explained, `mismatch under policy enforce: circuit_id expected "olt1 xpon 0/1/1", got "olt1 xpon 0/1/9"`)
	assert.Contains(t, explained, "Access-Reject (option82_mismatch)")
	explained = s.cli("explain", "--user", "alice", "--circuit", "olt1 xpon 0/1/1", "--remote", "ONT1", "--password", "secretpw")
	assert.Contains(t, explained, "Access-Accept (authorized)")
	assert.Contains(t, explained, "Framed-IP-Address = 100.64.0.11")
	assert.Contains(t, s.cli("explain", "--user", "alice", "--password", "wrong"), "wrong_password")
	assert.Contains(t, s.cli("explain", "--circuit", "olt1 xpon 0/1/6"), "frank, found by circuit")
	assert.Contains(t, s.cli("explain", "--user", "erin", "--output", "json"), `"code": "Access-Accept"`)

	packet, err := filepath.Abs("../../testdata/nas/pppoe-access.hex")
	require.NoError(t, err)
	assert.Contains(t, s.cli("explain", "--packet", packet, "--nas", "local"), "nobody is known")
	s.stop()
	assert.NotContains(t, s.cli("profile", "get", "alice"), "last_validated_at")
	assert.Empty(t, s.log.events(s, "option82_validation"))
}

func TestHangupReloadsAndABadConfigurationChangesNothing(t *testing.T) {
	s := startServer(t)
	file := filepath.Join(s.folder, "linegate.yaml")
	write := func(text string) { require.NoError(t, os.WriteFile(file, []byte(text), 0o600)) }
	s.stop()
	write("log: {level: info}\n")
	s.run()

	s.cli("apply", "-f", s.file("plain.yaml", "subscribers: [{tenant: demo, username: plain, password: secretpw}]\n"))
	s.within(time.Second, func() bool {
		return strings.Contains(s.login("User-Name=plain,User-Password=secretpw"), "Access-Accept")
	}, "no profile is accepted")
	write("policy: {no_profile: reject}\n")
	require.NoError(t, s.command.Process.Signal(syscall.SIGHUP))
	s.log.await(s, "the configuration is taken over")
	assert.Contains(t, s.login("User-Name=plain,User-Password=secretpw"), "Access-Reject")

	write("policy: {no_profil: accept}\n")
	require.NoError(t, s.command.Process.Signal(syscall.SIGHUP))
	s.log.await(s, "the configuration stays as it was")
	assert.Contains(t, s.login("User-Name=plain,User-Password=secretpw"), "Access-Reject")
	write("cache: {negative_ttl: 2s}\n")
	require.NoError(t, s.command.Process.Signal(syscall.SIGHUP))
	s.log.await(s, "other changed keys need a restart")
}

// file writes a file beside the store and returns its path.
func (s *instance) file(name, text string) string {
	path := filepath.Join(s.folder, name)
	require.NoError(s, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func TestServeSaysWhatIsWrong(t *testing.T) {
	s := startServer(t)
	for name, test := range map[string]struct{ env, want string }{
		"a port that is taken":    {"LINEGATE_LISTEN_HTTP=" + s.http, "listen for http"},
		"a store of no kind":      {"LINEGATE_STORE=mysql:x", "LINEGATE_STORE"},
		"a store in no folder":    {"LINEGATE_STORE=sqlite:/proc/nowhere/x.db", "/proc/nowhere"},
		"a first file that isn't": {"LINEGATE_APPLY_ON_FIRST_START=missing.yaml", "missing.yaml"},
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			root := newRootCommand()
			t.Setenv("LINEGATE_LISTEN_AUTH", "127.0.0.1:0")
			t.Setenv("LINEGATE_LISTEN_ACCT", "127.0.0.1:0")
			t.Setenv("LINEGATE_LISTEN_HTTP", "off")
			t.Setenv("LINEGATE_STORE", "sqlite:"+filepath.Join(folder, "x.db"))
			key, value, _ := strings.Cut(test.env, "=")
			t.Setenv(key, value)
			root.SetArgs([]string{"serve"})
			root.SetOut(&strings.Builder{})
			assert.ErrorContains(t, root.ExecuteContext(t.Context()), test.want)
		})
	}
}
