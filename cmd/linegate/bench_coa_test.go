package main

import (
	"context"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"layeh.com/radius"
	"layeh.com/radius/rfc2865"
	"layeh.com/radius/rfc2866"
	"layeh.com/radius/rfc3576"

	"linegate/radiusd/wire"
)

// sessionsFile writes three open sessions and two that are not.
func sessionsFile(t *testing.T) string {
	t.Helper()
	path := t.TempDir() + "/sessions.csv"
	require.NoError(t, os.WriteFile(path, []byte("acct_session_id,started,stopped,username,nas_address\n"+
		"a,true,false,alice,192.0.2.1\nb,true,false,bob,2001:db8::1\nc,true,false,,\nd,false,false,dave,\ne,true,true,erin,\n"), 0o600))
	return path
}

// startBenchNAS runs a NAS as `linegate bench nas` does. ended returns what it saw.
func startBenchNAS(t *testing.T, nas *benchNAS) (address string, ended func() *benchNAS) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	bound, served := make(chan string, 1), make(chan error, 1)
	nas.signer = wire.NewSigner(demoSecret)
	go func() { served <- nas.serve(ctx, "127.0.0.1:0", func(address string) { bound <- address }) }()
	stop := func() *benchNAS {
		cancel()
		require.NoError(t, <-served)
		return nas
	}
	return <-bound, stop
}

// benchCoA runs the load and reads its report.
func benchCoA(t *testing.T, args ...string) (result, map[string]any) {
	t.Helper()
	done := run(t, "", append([]string{"bench", "coa", "--output", "json"}, args...)...)
	var report map[string]any
	require.NoError(t, json.Unmarshal([]byte(done.stdout), &report), done.stderr)
	return done, report
}

func TestBenchCoAIsReadByAnotherImplementation(t *testing.T) {
	freshStore(t)
	seen := map[string]string{}
	address := foreignServer(t, func(w radius.ResponseWriter, r *radius.Request) {
		assert.Equal(t, radius.CodeCoARequest, r.Code)
		assert.Equal(t, "gold", rfc2865.FilterID_GetString(r.Packet))
		assert.Equal(t, "bng", rfc2865.NASIdentifier_GetString(r.Packet))
		seen[rfc2866.AcctSessionID_GetString(r.Packet)] = rfc2865.UserName_GetString(r.Packet)
		reply := r.Response(radius.CodeCoAACK)
		if rfc2866.AcctSessionID_GetString(r.Packet) == "c" {
			reply = r.Response(radius.CodeCoANAK)
			require.NoError(t, rfc3576.ErrorCause_Set(reply, rfc3576.ErrorCause_Value_SessionContextNotFound))
		}
		require.NoError(t, rfc2865.ProxyState_Set(reply, rfc2865.ProxyState_Get(r.Packet)))
		_ = w.Write(reply)
	})
	done, report := benchCoA(t, "--server", address, "--sessions", sessionsFile(t), "--sockets", "1", "--window", "1",
		"--duration", "100ms", "--attr", "Filter-Id = gold", "--nas-identifier", "bng", "--message-authenticator", "no")
	assert.Equal(t, 1, exitStatus(done.err))
	assert.Contains(t, done.stderr, "changes were refused, 0 not answered")
	assert.EqualValues(t, 3, report["sessions"])
	assert.EqualValues(t, 2, report["left_out"])
	assert.Equal(t, map[string]any{"503 Session-Context-Not-Found": report["refused"]}, report["causes"])
	assert.Positive(t, report["refused"])
	assert.Greater(t, report["acked"], report["refused"])
	assert.Equal(t, map[string]string{"a": "alice", "b": "bob", "c": ""}, seen)
}

func TestBenchCoAAndNASCountTheSame(t *testing.T) {
	freshStore(t)
	address, end := startBenchNAS(t, &benchNAS{nak: 0.3, cause: 506, loss: 0.1})
	_, report := benchCoA(t, "--server", address, "--sessions", sessionsFile(t), "--sockets", "3", "--duration", "300ms",
		"--timeout", "20ms", "--tries", "100")
	nas := end()
	assert.EqualValues(t, report["acked"], nas.acked.Load())
	assert.EqualValues(t, report["refused"], nas.refused.Load())
	assert.EqualValues(t, report["retransmissions"], nas.lost.Load())
	assert.Equal(t, map[string]any{"506 Resources-Unavailable": report["refused"]}, report["causes"])
	assert.Zero(t, nas.bad.Load())
	for _, name := range []string{"acked", "refused", "retransmissions"} {
		assert.Positive(t, report[name], name)
	}
	for _, name := range []string{"wrong_causes", "wrong_proxy_states", "bad_replies"} {
		assert.Zero(t, report[name], name)
	}
}

func TestBenchCoADisconnectsEachSessionOnce(t *testing.T) {
	freshStore(t)
	address, end := startBenchNAS(t, &benchNAS{})
	done, report := benchCoA(t, "--server", address, "--sessions", sessionsFile(t), "--sockets", "1",
		"--disconnect", "100%", "--rate", "1000/s", "--duration", "1h")
	require.NoError(t, done.err)
	assert.EqualValues(t, 3, report["acked"])
	assert.EqualValues(t, 3, end().acked.Load())
}

func TestBenchCoASaysWhenAnswersAreWrongOrMissing(t *testing.T) {
	freshStore(t)
	path := sessionsFile(t)
	forgetful := foreignServer(t, func(w radius.ResponseWriter, r *radius.Request) { _ = w.Write(r.Response(radius.CodeCoAACK)) })
	done, report := benchCoA(t, "--server", forgetful, "--sessions", path, "--sockets", "1", "--duration", "50ms")
	assert.Equal(t, 1, exitStatus(done.err))
	assert.Equal(t, report["acked"], report["wrong_proxy_states"])
	assert.Contains(t, done.stderr, "answers were wrong: 0 by their Error-Cause")

	address, end := startBenchNAS(t, &benchNAS{})
	done, report = benchCoA(t, "--server", address, "--secret", "another", "--sessions", path, "--sockets", "1",
		"--duration", "50ms", "--timeout", "30ms")
	assert.Equal(t, 2, exitStatus(done.err))
	assert.Contains(t, done.stderr, "not one authentic answer")
	assert.EqualValues(t, report["timeouts"], end().bad.Load(), "it says nothing to who has another secret")
}

func TestBenchCoASaysWhatIsWrongWithItsFlags(t *testing.T) {
	freshStore(t)
	path := sessionsFile(t)
	file := func(text string) string {
		path := t.TempDir() + "/s.csv"
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	for want, args := range map[string][]string{
		`required flag(s) "sessions" not set`:                      nil,
		`--disconnect: "110%" is not allowed: 0% to 100%`:          {"--sessions", path, "--disconnect", "110%"},
		`--rate: "0/s" is not allowed: more than 0/s`:              {"--sessions", path, "--rate", "0/s"},
		"--window 1 to 256":                                        {"--sessions", path, "--window", "0"},
		`--message-authenticator: "maybe" is not allowed: yes, no`: {"--sessions", path, "--message-authenticator", "maybe"},
		`--attr: `:                      {"--sessions", path, "--attr", "Filter-Idd = x"},
		"3 open sessions for 4 sockets": {"--sessions", path},
		"open gone.csv: no such file":   {"--sessions", "gone.csv"},
		"the shared secret is empty":    {"--sessions", path, "--secret", ""},
		"missing port in address":       {"--sessions", path, "--sockets", "1", "--server", "nowhere"},
		"s.csv:1: the first line has to name the columns, acct_session_id among them": {"--sessions", file("user\nx\n")},
		`s.csv:2: nas_address: "here" is not allowed: an IPv4 or IPv6 address`:        {"--sessions", file("acct_session_id,nas_address\nx,here\n")},
		`s.csv:3: acct_session_id: "" is not allowed: 1 to 253 octets`:                {"--sessions", file("acct_session_id,username\nx,\n,a\n")},
		`s.csv:2: username: "` + strings.Repeat("u", 254):                             {"--sessions", file("acct_session_id,username\nx," + strings.Repeat("u", 254) + "\n")},
		"wrong number of fields": {"--sessions", file("acct_session_id,username\nx\n")},
	} {
		done := run(t, "", append([]string{"bench", "coa"}, args...)...)
		assert.Equal(t, 1, exitStatus(done.err), want)
		assert.Contains(t, done.stderr, want)
	}
	for want, args := range map[string][]string{
		`--nak: "x" is not allowed: 0% to 100%`:       {"--nak", "x"},
		`--loss: "101%" is not allowed: 0% to 100%`:   {"--loss", "101%"},
		"--nak-cause: 201 is not allowed: 400 to 599": {"--nak-cause", "201"},
		"the shared secret is empty":                  {"--secret", ""},
		"missing port in address":                     {"--listen", "nowhere"},
	} {
		assert.ErrorContains(t, run(t, "", append([]string{"bench", "nas"}, args...)...).err, want)
	}
	for _, boxes := range []string{"127.0.0.1", "10.0.0.0/7", "2001:db8::/64"} {
		path, _ := subscribersFile(t, 3)
		done := run(t, "", "bench", "acct", "--subscribers", path, "--nas", boxes)
		assert.ErrorContains(t, done.err, `--nas: "`+boxes+`" is not allowed: an IPv4 prefix, /8 to /32`)
	}
}

// What a load of accounting lists, a load of changes finds through the relay: the
// server looks each session up and asks the box that it is on.
func TestBenchCoAGoesThroughTheRelay(t *testing.T) {
	s := startServer(t, "LINEGATE_LISTEN_COA=127.0.0.1:0", "LINEGATE_COA_CLIENTS=address=127.0.0.1 tenant=demo secret=testing123")
	nas := &benchNAS{nak: 0.2, cause: 504}
	address, end := startBenchNAS(t, nas)
	_, port, _ := strings.Cut(address, ":")
	s.cli("nas", "add", "local", "--coa-port", port, "--coa-secret", demoSecret, "--coa-address", "127.0.0.1")
	require.NoError(t, os.WriteFile(s.folder+"/subs.csv", []byte(s.cli("bench", "subscribers", "--count", "40")), 0o600))
	s.bench("acct", "--server", s.acct, "--subscribers", "subs.csv", "--sessions", "60", "--interims", "0", "--over", "1s",
		"--tries", "10", "--leave-open", "--nas", "127.0.1.0/28", "--list", "sessions.csv")
	s.within(30*time.Second, func() bool {
		answer := s.radclient(s.coa, "disconnect", "NAS-IP-Address=127.0.1.3,User-Name=sub0000004")
		return strings.Contains(answer, "Disconnect-ACK") || strings.Contains(answer, "Session-Context-Not-Removable")
	}, "the relay reaches the NAS")
	before := nas.acked.Load() + nas.refused.Load()

	printed := s.failing(1, "bench", "coa", "--output", "json", "--server", s.coa, "--sessions", "sessions.csv", "--tries", "10", "--duration", "500ms")
	var report struct {
		Sessions, Acked, Refused, Timeouts int
		Causes                             map[string]int
	}
	require.NoError(t, json.Unmarshal([]byte(printed[:strings.LastIndex(printed, "}")+1]), &report), printed)
	end()
	assert.Equal(t, 60, report.Sessions)
	assert.Equal(t, map[string]int{"504 Session-Context-Not-Removable": report.Refused}, report.Causes)
	assert.Positive(t, report.Acked)
	assert.Zero(t, report.Timeouts)
	assert.EqualValues(t, report.Acked+report.Refused, nas.acked.Load()+nas.refused.Load()-before)
}
