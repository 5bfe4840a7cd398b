package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"linegate"
)

// orderOn carries out an order on the subscriber that the tests of live sessions are
// about, and returns how it stands.
func (s *instance) orderOn(key, kind string, more ...string) (ended struct {
	State, Stuck string
	Warnings     []string
}) {
	s.Helper()
	file := s.file(key+".yaml", "key: "+key+"\nusername: fiber\nkind: "+kind+"\n"+strings.Join(more, "\n")+"\n")
	out := s.cli("provision", "subscriber", "-f", file, "-o", "json")
	require.NoError(s, json.Unmarshal([]byte(out), &ended), out)
	return ended
}

const gardened = "profile: {password: secretpw, circuit_id: c1, service_vlan: 300, filter_id: open, walled_garden_filter: garden, download_kbps: 90000, upload_kbps: 9000}"

// comesOnline logs the subscriber in, which waits until the server knows it, and
// begins its session.
func (s *instance) comesOnline(acctSessionID string) {
	s.Helper()
	s.within(30*time.Second, func() bool {
		return strings.Contains(s.login("User-Name=fiber,User-Password=secretpw,ADSL-Agent-Circuit-Id=c1"), "Access-Accept")
	}, "the server follows")
	s.online("fiber", acctSessionID, "100.64.0.77")
}

// The same orders, carried out by the command and by a server.
func TestOrdersTellLiveSessions(t *testing.T) {
	for name, environment := range map[string][]string{
		"a command carries them out": nil,
		"a server carries them out":  {"LINEGATE_GENIEACS_URL=http://127.0.0.1:9"}, // never asked
	} {
		t.Run(name, func(t *testing.T) {
			s, nas := startRelay(t, environment...)
			s.cli("apply", "-f", s.file("pushing.yaml", "tenants: [{name: demo, push_changes: true}]\n"))
			s.orderOn("1", "provision", gardened)
			s.comesOnline("ack fiber")
			told := 0
			tells := func(ended struct {
				State, Stuck string
				Warnings     []string
			}, what ...string) {
				t.Helper()
				assert.Equal(t, "done", ended.State)
				assert.Empty(t, ended.Warnings)
				s.within(10*time.Second, func() bool { return len(nas.of("ack fiber")) > told }, "what the NAS got is read")
				requests := nas.of("ack fiber")
				require.Len(t, requests, told+1, "the NAS is told once")
				told++
				for _, text := range what {
					assert.Contains(t, requests[told-1], text)
				}
			}
			tells(s.orderOn("2", "suspend"), `"code":43`, `"Filter-Id":["garden"]`)
			tells(s.orderOn("3", "resume"), `"code":43`, `"Filter-Id":["open"]`)
			tells(s.orderOn("4", "suspend", "strategy: rate", "suspend_rate: {download_kbps: 64, upload_kbps: 64}"), `"code":43`, "64000")
			tells(s.orderOn("5", "resume"), `"code":43`, "90000000")
			tells(s.orderOn("6", "change", "profile: {service_vlan: 301}"), `"code":43`, `"Tunnel-Private-Group-Id":["301"]`)
			tells(s.orderOn("7", "suspend", "strategy: disconnect"), `"code":40`)

			// What the server pushes by itself comes after all that the orders wrote.
			s.cli("profile", "set", "fiber", "--status", "terminated")
			s.within(30*time.Second, func() bool { return len(nas.of("ack fiber")) > told }, "the server pushes")
			assert.Len(t, nas.of("ack fiber"), told+1, "what an order wrote is not pushed again")
		})
	}
}

func TestANASThatRefusesDoesNotHoldAnOrderUp(t *testing.T) {
	s, nas := startRelay(t)
	s.orderOn("1", "provision", gardened)
	s.comesOnline("nak 504")
	ended := s.orderOn("2", "suspend")
	assert.Equal(t, "done", ended.State)
	require.Len(t, ended.Warnings, 1)
	assert.Contains(t, ended.Warnings[0], "live sessions go on as before until they authenticate again")
	assert.Contains(t, ended.Warnings[0], "nas local, session nak 504: nak 504 Session-Context-Not-Removable")
	assert.Len(t, nas.of("nak 504"), 1)
	assert.Contains(t, s.login(`User-Name=fiber,User-Password=secretpw,ADSL-Agent-Circuit-Id=c1`), `Filter-Id = "garden"`)
}

func TestANASThatIsSilentIsAskedUntilItsSessionEnds(t *testing.T) {
	s, nas := startRelay(t)
	s.orderOn("1", "provision", gardened)
	s.comesOnline("silent")
	file := s.file("2.yaml", "key: \"2\"\nusername: fiber\nkind: suspend\n")
	assert.Contains(t, s.refused("provision", "subscriber", "-f", file), "is stuck: sessions: walled_garden: outcome unknown: nas local, session silent: timeout")
	assert.NotEmpty(t, nas.of("silent"))
	answer := s.radclient(s.acct, "acct", `Acct-Status-Type=Stop,Acct-Session-Id=silent,User-Name=fiber,Framed-IP-Address=100.64.0.77,NAS-IP-Address=127.0.0.1`)
	require.Contains(t, answer, "Accounting-Response")
	assert.Contains(t, s.cli("provision", "retry", "demo/2"), "done")
}

// What became of the sessions, and what an order makes of it.
func TestAnOrderGoesByTheSessionThatMayStillFollow(t *testing.T) {
	session := &linegate.Session{AcctSessionID: "s1", NAS: linegate.NASKey{Name: "bng"}}
	of := func(result linegate.ChangeResult, cause linegate.ErrorCause) error {
		return failureOf(session, linegate.ChangeOutcome{Result: result, Cause: cause}, nil)
	}
	assert.NoError(t, of(linegate.ChangeAcked, 0))
	assert.NoError(t, of(linegate.ChangeGone, 0))
	refused, silent := of(linegate.ChangeRefused, 504), of(linegate.ChangeTimeout, 0)
	missing := failureOf(session, linegate.ChangeOutcome{}, fmt.Errorf("nas bng: %w", linegate.ErrNotFound))
	cut := failureOf(session, linegate.ChangeOutcome{}, context.Canceled)
	for _, c := range []struct {
		failures []error
		want     error
	}{
		{[]error{nil, nil}, nil},
		{[]error{nil, refused}, linegate.ErrRefused},
		{[]error{missing}, linegate.ErrRefused},
		{[]error{of(linegate.ChangeUnsupported, 0)}, linegate.ErrUnsupported},
		{[]error{refused, of(linegate.ChangeRefused, linegate.CauseResources)}, linegate.ErrTryAgain},
		{[]error{refused, silent, nil}, linegate.ErrOutcomeUnknown},
		{[]error{cut}, linegate.ErrOutcomeUnknown},
	} {
		err := verdict(c.failures)
		require.ErrorIs(t, err, c.want)
		for _, kind := range []error{linegate.ErrRefused, linegate.ErrTryAgain, linegate.ErrOutcomeUnknown, linegate.ErrUnsupported} {
			assert.Equal(t, kind == c.want, errors.Is(err, kind), "%v is one kind", err)
		}
	}
	assert.Contains(t, verdict([]error{refused, silent}).Error(), "504 Session-Context-Not-Removable", "all are told")
}
