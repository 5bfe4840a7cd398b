package coa_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"linegate"
	"linegate/coa"
	"linegate/policy/dialect"
	"linegate/radiusd/wire"
)

// foreignRequest is what the NAS of testdata/coa/nas.py tells of a request.
type foreignRequest struct {
	Code           int
	ID             int
	Port           int
	Copy           int // 1 for the first transmission
	Signed         bool
	SignatureRight bool `json:"signature_right"`
	Attributes     map[string][]any
}

// foreignNAS starts a NAS that is no code of ours and returns its port and a
// function that reads the next request it got for a session.
func foreignNAS(t *testing.T) (port uint16, next func(session string) foreignRequest) {
	t.Helper()
	const python = "../bin/pyrad/bin/python"
	require.FileExists(t, python, "run: make tools")
	command := exec.Command(python, "../testdata/coa/nas.py", "testing123")
	out, err := command.StdoutPipe()
	require.NoError(t, err)
	command.Stderr = os.Stderr // what it can't do, it says there
	require.NoError(t, command.Start())
	t.Cleanup(func() { _ = command.Process.Kill(); _ = command.Wait() })
	lines := bufio.NewScanner(out)
	require.True(t, lines.Scan(), "the NAS says no port")
	number, err := strconv.ParseUint(lines.Text(), 10, 16)
	require.NoError(t, err)
	return uint16(number), func(session string) (request foreignRequest) {
		t.Helper()
		for fmt.Sprint(request.Attributes["Acct-Session-Id"]) != "["+session+"]" {
			require.True(t, lines.Scan(), "the NAS is gone")
			request = foreignRequest{}
			require.NoError(t, json.Unmarshal(lines.Bytes(), &request), lines.Text())
		}
		return request
	}
}

// TestAgainstAForeignNAS asks pyrad's CoA server for changes in the dialect standard.
func TestAgainstAForeignNAS(t *testing.T) {
	port, next := foreignNAS(t)
	strays := map[linegate.StrayAnswer]int{}
	var mu sync.Mutex
	senderWith := func(retry coa.Retry) *coa.Sender {
		s := coa.New(coa.Options{Dialects: dialect.Builtin(32473), Source: netip.MustParseAddr("127.0.0.1"), Retry: retry,
			Stray: func(why linegate.StrayAnswer) { mu.Lock(); defer mu.Unlock(); strays[why]++ }})
		t.Cleanup(s.Close)
		nas := bng()
		nas.CoAPort = port
		require.Empty(t, s.SetNASes([]linegate.NAS{nas}))
		return s
	}
	patient := senderWith(coa.Retry{Initial: time.Minute, Longest: time.Minute, Count: 1, Overall: time.Minute})
	insistent := senderWith(coa.Retry{Initial: time.Second, Longest: time.Minute, Count: 5, Overall: time.Minute})
	hasty := senderWith(coa.Retry{Initial: 200 * time.Millisecond, Longest: 200 * time.Millisecond, Count: 2, Overall: time.Minute})

	type outcome = linegate.ChangeOutcome
	type step struct {
		by      *coa.Sender
		session string
		change  linegate.Change
		want    outcome
		copies  int // that the NAS gets at least
	}
	steps := map[string]step{
		"an ACK to a CoA":               {patient, "ack", faster, outcome{Result: linegate.ChangeAcked}, 1},
		"an ACK to a Disconnect":        {patient, "ack disconnect", disconnect, outcome{Result: linegate.ChangeAcked}, 1},
		"a NAK without a cause":         {patient, "nak 0", faster, outcome{Result: linegate.ChangeRefused}, 1},
		"a NAK to a Disconnect":         {patient, "nak 504 disconnect", disconnect, outcome{Result: linegate.ChangeRefused, Cause: 504}, 1},
		"silence":                       {hasty, "silent", faster, outcome{Result: linegate.ChangeTimeout}, 2},
		"an answer to the second copy":  {insistent, "lossy", faster, outcome{Result: linegate.ChangeAcked}, 2},
		"an answer that comes too late": {hasty, "late 3000", faster, outcome{Result: linegate.ChangeTimeout}, 2},
		"an answer that proves nothing": {hasty, "forged", faster, outcome{Result: linegate.ChangeTimeout}, 2},
		"a change of another kind":      {patient, "ack limits", linegate.Change{Kind: linegate.ChangeLimits, Grant: linegate.Grant{SessionTimeout: 60}}, outcome{Result: linegate.ChangeAcked}, 1},
	}
	for _, cause := range linegate.ErrorCauses() {
		if cause != linegate.CauseContextRemoved {
			steps["a NAK with "+cause.String()] = step{patient, fmt.Sprintf("nak %d", cause), faster, outcome{Result: linegate.ChangeRefused, Cause: cause}, 1}
		}
	}
	for name, test := range steps {
		t.Run(name, func(t *testing.T) {
			one := session(test.session)
			one.ID = name
			one.NAS.Address = netip.MustParseAddr("127.0.0.1")
			got, err := test.by.Apply(t.Context(), coa.Order{Session: one, Changes: []linegate.Change{test.change}})
			require.NoError(t, err)
			got.Detail = ""
			assert.Equal(t, test.want, got)

			first := next(test.session)
			code := wire.CoARequest
			if test.change.Kind == linegate.ChangeDisconnect {
				code = wire.DisconnectRequest
			}
			assert.EqualValues(t, code, first.Code)
			assert.True(t, first.SignatureRight, "the Message-Authenticator, as pyrad calculates it")
			assert.Equal(t, []any{test.session}, first.Attributes["Acct-Session-Id"])
			assert.Equal(t, []any{"alice"}, first.Attributes["User-Name"])
			assert.Len(t, first.Attributes["Event-Timestamp"], 1)
			if test.copies == 2 {
				second := next(test.session)
				assert.Equal(t, 2, second.Copy, "the same identifier, authenticator and source port")
				second.Copy = 1
				assert.Equal(t, first, second)
			}
		})
	}
	require.Eventually(t, func() bool { // a forged one may have come when nobody waited any more
		mu.Lock()
		defer mu.Unlock()
		return strays[linegate.StrayBadAuthenticator]+strays[linegate.StrayNotAwaited] == 4
	}, time.Minute, 10*time.Millisecond, "two answers that were forged and two that were late")
}
