package telemetry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"linegate"
)

var bng = &linegate.NAS{Tenant: "demo", Name: "bng1", Secret: "s3cr3t-shared"}

func subscriber() *linegate.Subscriber {
	return &linegate.Subscriber{
		ID: "5b0f2a52-6f3f-4c1e-9d3e-0d7b7b1f6a01", Tenant: "demo", Username: "bob",
		Credential: linegate.Credential{Kind: linegate.CredentialCleartext, Value: "pa55w0rd"},
		Profile: &linegate.NetworkProfile{
			CircuitID: "olt1 xpon 0/1/2", RemoteID: "\x00\x06\xff", Option82Policy: linegate.Option82Log, ServiceVLAN: 102,
		},
	}
}

// logged returns what fn logs, without time and level.
func logged(t *testing.T, fn func(*slog.Logger)) []map[string]any {
	t.Helper()
	var text bytes.Buffer
	fn(slog.New(slog.NewJSONHandler(&text, nil)))
	lines := decode(t, text.String())
	for _, line := range lines {
		delete(line, "time")
		delete(line, "level")
	}
	return lines
}

func TestOption82ValidationHasTheFieldsAlertsAndReportsNeed(t *testing.T) {
	request := &linegate.Request{NAS: bng, UserName: []byte("bob"),
		Line: linegate.AccessLine{CircuitID: []byte("olt1 xpon 0/1/9"), RemoteID: []byte("\x00\x06\xff")}}
	decision := &linegate.Decision{Accept: true, Reason: linegate.ReasonAuthorized, Subscriber: subscriber(),
		Option82: linegate.Option82Check{Result: linegate.Option82Mismatch, Policy: linegate.Option82Log, CircuitIDDiffers: true}}

	lines := logged(t, func(logger *slog.Logger) { option82Validation(t.Context(), logger, request, decision) })
	require.Len(t, lines, 2)
	assert.Equal(t, map[string]any{
		"msg": "option82_validation", "event": "option82_validation",
		"tenant_id": "demo", "nas": "bng1", "username": "bob",
		"result": "mismatch", "policy": "log", "action": "accept",
		"circuit_id_match": false, "remote_id_match": true,
		"expected_circuit_id": "olt1 xpon 0/1/2", "actual_circuit_id": "olt1 xpon 0/1/9",
		"expected_remote_id": "0x0006ff", "actual_remote_id": "0x0006ff",
	}, lines[0])
	assert.Equal(t, map[string]any{
		"msg":   "Option 82 mismatch for bob: circuit_id=olt1 xpon 0/1/9 (expected: olt1 xpon 0/1/2), remote_id=0x0006ff (expected: 0x0006ff)",
		"event": "option82_mismatch", "severity": "medium", "tenant_id": "demo", "username": "bob",
		"subscriber_id": "5b0f2a52-6f3f-4c1e-9d3e-0d7b7b1f6a01", "mismatch_fields": []any{"circuit_id"},
	}, lines[1])
}

func TestOption82MismatchIsSevereUnderEnforce(t *testing.T) {
	decision := &linegate.Decision{Reason: linegate.ReasonOption82Mismatch, Subscriber: subscriber(),
		Option82: linegate.Option82Check{Result: linegate.Option82Mismatch, Policy: linegate.Option82Enforce, CircuitIDDiffers: true, RemoteIDDiffers: true}}
	lines := logged(t, func(logger *slog.Logger) {
		option82Validation(t.Context(), logger, &linegate.Request{NAS: bng}, decision)
	})
	assert.Equal(t, "reject", lines[0]["action"])
	assert.Equal(t, "high", lines[1]["severity"])
	assert.Equal(t, []any{"circuit_id", "remote_id"}, lines[1]["mismatch_fields"])
}

func TestOption82ValidationSaysWhichFieldsWereAsWanted(t *testing.T) {
	noCircuit := subscriber()
	noCircuit.Profile.CircuitID = ""
	noProfile := subscriber()
	noProfile.Profile = nil
	cases := map[string]struct {
		subscriber        *linegate.Subscriber
		result            linegate.Option82Result
		policy            linegate.Option82Policy
		circuit, remote   any
		policySaid        string
		expectedCircuitID string
	}{
		"a match is as wanted":                       {subscriber(), linegate.Option82Match, linegate.Option82Enforce, true, true, "enforce", "olt1 xpon 0/1/2"},
		"a missing line is not":                      {subscriber(), linegate.Option82Missing, linegate.Option82Log, false, false, "log", "olt1 xpon 0/1/2"},
		"a field that is left open always is":        {noCircuit, linegate.Option82Missing, linegate.Option82Log, true, false, "log", ""},
		"an ignored line is not compared":            {subscriber(), linegate.Option82Ignored, linegate.Option82Ignore, nil, nil, "ignore", "olt1 xpon 0/1/2"},
		"without a profile there is nothing to meet": {noProfile, linegate.Option82NoProfile, "", nil, nil, "none", ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			decision := &linegate.Decision{Accept: true, Subscriber: c.subscriber, Option82: linegate.Option82Check{Result: c.result, Policy: c.policy}}
			lines := logged(t, func(logger *slog.Logger) {
				option82Validation(t.Context(), logger, &linegate.Request{NAS: bng}, decision)
			})
			require.Len(t, lines, 1, "only a mismatch has an event of its own")
			assert.Equal(t, c.circuit, lines[0]["circuit_id_match"])
			assert.Equal(t, c.remote, lines[0]["remote_id_match"])
			assert.Equal(t, c.policySaid, lines[0]["policy"])
			assert.Equal(t, c.expectedCircuitID, lines[0]["expected_circuit_id"])
		})
	}
}

func TestNothingIsLoggedWhenTheLineWasNotReached(t *testing.T) {
	lines := logged(t, func(logger *slog.Logger) {
		option82Validation(t.Context(), logger, &linegate.Request{NAS: bng}, &linegate.Decision{Reason: linegate.ReasonWrongPassword, Subscriber: subscriber()})
	})
	assert.Empty(t, lines)
}

func TestAMismatchIsLoggedWhenTheLevelHidesValidations(t *testing.T) {
	var text bytes.Buffer
	logger := slog.New(slog.NewJSONHandler(&text, &slog.HandlerOptions{Level: slog.LevelWarn}))
	decision := &linegate.Decision{Subscriber: subscriber(), Option82: linegate.Option82Check{Result: linegate.Option82Mismatch, CircuitIDDiffers: true}}
	option82Validation(t.Context(), logger, &linegate.Request{NAS: bng}, decision)
	require.Len(t, decode(t, text.String()), 1)
	assert.Equal(t, EventOption82Mismatch, decode(t, text.String())[0]["event"])
}

func TestAuditEventsNameActorAndChanges(t *testing.T) {
	changed := subscriber()
	changed.Profile.ServiceVLAN = 103
	entry := &linegate.AuditEntry{Revision: 7, Actor: "ops@noc", Kind: linegate.AuditSubscriber, Tenant: "demo",
		Name: "bob", ID: changed.ID, Outcome: linegate.Changed, Changes: changed.Diff(subscriber())}
	lines := logged(t, func(logger *slog.Logger) { Audit(t.Context(), logger, entry) })
	assert.Equal(t, []map[string]any{{
		"msg": "network_profile_updated", "event": "network_profile_updated", "tenant_id": "demo", "actor": "ops@noc",
		"revision": 7.0, "username": "bob", "subscriber_id": changed.ID,
		"changes": []any{map[string]any{"field": "service_vlan", "old": "102", "new": "103"}},
	}}, lines)
}

func TestAuditNamesTheEventOfEveryKindAndOutcome(t *testing.T) {
	cases := map[string]struct {
		kind    linegate.AuditKind
		outcome linegate.Outcome
		event   string // empty: nothing is logged
	}{
		"a new subscriber":             {linegate.AuditSubscriber, linegate.Created, "network_profile_created"},
		"a changed subscriber":         {linegate.AuditSubscriber, linegate.Changed, "network_profile_updated"},
		"a deleted subscriber":         {linegate.AuditSubscriber, linegate.Deleted, "network_profile_deleted"},
		"a new NAS":                    {linegate.AuditNAS, linegate.Created, "nas_created"},
		"a changed NAS":                {linegate.AuditNAS, linegate.Changed, "nas_updated"},
		"a deleted NAS":                {linegate.AuditNAS, linegate.Deleted, "nas_deleted"},
		"a new tenant":                 {linegate.AuditTenant, linegate.Created, "tenant_created"},
		"a write that changed nothing": {linegate.AuditSubscriber, linegate.Unchanged, ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			lines := logged(t, func(logger *slog.Logger) {
				Audit(t.Context(), logger, &linegate.AuditEntry{Kind: c.kind, Outcome: c.outcome, Tenant: "demo", Name: "thing"})
			})
			if c.event == "" {
				assert.Empty(t, lines)
				return
			}
			require.Len(t, lines, 1)
			assert.Equal(t, c.event, lines[0]["event"])
		})
	}
}

func TestNoEventShowsAPasswordOrSecret(t *testing.T) {
	fresh, other := subscriber(), subscriber()
	other.Credential.Value = "an0ther-pa55w0rd"
	changedNAS := *bng
	changedNAS.Secret = "an0ther-s3cr3t"
	request := &linegate.Request{NAS: bng, UserName: []byte("bob"),
		Proof: linegate.Proof{Method: linegate.MethodPAP, Password: []byte("typed-pa55w0rd")}}
	decision := &linegate.Decision{Subscriber: fresh, Option82: linegate.Option82Check{Result: linegate.Option82Mismatch, Policy: linegate.Option82Log, CircuitIDDiffers: true}}

	lines := logged(t, func(logger *slog.Logger) {
		option82Validation(t.Context(), logger, request, decision)
		Audit(t.Context(), logger, &linegate.AuditEntry{Kind: linegate.AuditSubscriber, Outcome: linegate.Created, Changes: fresh.Diff(nil)})
		Audit(t.Context(), logger, &linegate.AuditEntry{Kind: linegate.AuditSubscriber, Outcome: linegate.Changed, Changes: other.Diff(fresh)})
		Audit(t.Context(), logger, &linegate.AuditEntry{Kind: linegate.AuditNAS, Outcome: linegate.Created, Changes: bng.Diff(nil)})
		Audit(t.Context(), logger, &linegate.AuditEntry{Kind: linegate.AuditNAS, Outcome: linegate.Changed, Changes: changedNAS.Diff(bng)})
		NASLearned(t.Context(), logger, bng)
		NewDropLog(logger, time.Now).Dropped(t.Context(), DropMalformed, netip.AddrPort{}, bng, nil)
	})
	require.Len(t, lines, 8)
	text := fmt.Sprint(lines)
	assert.NotContains(t, text, "pa55w0rd")
	assert.NotContains(t, text, "s3cr3t")
	assert.Contains(t, text, "password", "a change of the password is told")
	assert.Contains(t, text, "secret", "a change of the secret is told")
}

func TestNASLearnedSaysWhatIsRequiredFromNowOn(t *testing.T) {
	nas := *bng
	nas.RequireMessageAuthenticator, nas.Learned = linegate.Auto, linegate.Yes
	lines := logged(t, func(logger *slog.Logger) { NASLearned(t.Context(), logger, &nas) })
	assert.Equal(t, []map[string]any{{
		"msg": "nas_learned", "event": "nas_learned", "tenant_id": "demo", "nas": "bng1",
		"learned_message_authenticator": "yes", "requires_message_authenticator": true,
	}}, lines)
}

// clock is a time that only the test moves.
type clock struct{ now time.Time }

func (c *clock) Now() time.Time { return c.now }

func TestDropLogWritesOneLinePerReasonAndSourceInTenSeconds(t *testing.T) {
	at := &clock{now: time.Unix(1_700_000_000, 0)}
	one, two := netip.MustParseAddrPort("192.0.2.1:1024"), netip.MustParseAddrPort("192.0.2.2:1024")
	lines := logged(t, func(logger *slog.Logger) {
		drops := NewDropLog(logger, at.Now)
		for range 5 {
			drops.Dropped(t.Context(), DropUnknownClient, one, nil, nil)
		}
		drops.Dropped(t.Context(), DropUnknownClient, two, nil, nil)
		drops.Dropped(t.Context(), DropMalformed, one, bng, errors.New("length 19: at least 20 are needed"))
		at.now = at.now.Add(9999 * time.Millisecond)
		drops.Dropped(t.Context(), DropUnknownClient, one, nil, nil)
		at.now = at.now.Add(time.Millisecond)
		drops.Dropped(t.Context(), DropUnknownClient, netip.MustParseAddrPort("192.0.2.1:2048"), nil, nil)
	})
	drop := func(reason, source string, suppressed float64) map[string]any {
		return map[string]any{"msg": "packet_dropped", "event": "packet_dropped", "reason": reason, "source": source, "suppressed": suppressed}
	}
	malformed := drop("malformed", "192.0.2.1:1024", 0)
	malformed["tenant_id"], malformed["nas"], malformed["cause"] = "demo", "bng1", "length 19: at least 20 are needed"
	assert.Equal(t, []map[string]any{
		drop("unknown_client", "192.0.2.1:1024", 0),
		drop("unknown_client", "192.0.2.2:1024", 0),
		malformed,
		drop("unknown_client", "192.0.2.1:2048", 5),
	}, lines)
}

func TestDropLogKeepsBoundedMemoryUnderForgedSources(t *testing.T) {
	at := &clock{now: time.Unix(1_700_000_000, 0)}
	var text bytes.Buffer
	drops := NewDropLog(slog.New(slog.NewJSONHandler(&text, nil)), at.Now)
	source := func(n int) netip.AddrPort {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)}), 1024)
	}
	for n := range 20_000 {
		drops.Dropped(t.Context(), DropUnknownClient, source(n), nil, nil)
	}
	limit := dropLogSources + len(Drops())
	assert.LessOrEqual(t, len(drops.windows), limit)
	assert.Len(t, decode(t, text.String()), dropLogSources+1, "the sources beyond the limit share one line")

	text.Reset()
	at.now = at.now.Add(dropLogInterval)
	drops.Dropped(t.Context(), DropUnknownClient, source(50_000), nil, nil)
	drops.Dropped(t.Context(), DropUnknownClient, source(50_001), nil, nil)
	assert.LessOrEqual(t, len(drops.windows), limit)
	assert.Len(t, decode(t, text.String()), 2, "once the windows have ended there is room again")
}

func TestDropLogTellsOfWhatForgottenSourcesSuppressed(t *testing.T) {
	at := &clock{now: time.Unix(1_700_000_000, 0)}
	drops := NewDropLog(slog.New(slog.DiscardHandler), at.Now)
	forgotten := dropKey{DropMalformed, netip.MustParseAddr("192.0.2.1")}
	for range 4 {
		drops.admit(forgotten)
	}
	at.now = at.now.Add(dropLogInterval)
	drops.sweep(at.now)
	suppressed, due := drops.admit(dropKey{reason: DropMalformed})
	assert.True(t, due)
	assert.Equal(t, 3, suppressed)
	assert.NotContains(t, drops.windows, forgotten)
}

func TestDropLogDoesNotAllocateForWhatItSuppresses(t *testing.T) {
	drops := NewDropLog(slog.New(slog.NewJSONHandler(io.Discard, nil)), func() time.Time { return time.Unix(0, 0) })
	source := netip.MustParseAddrPort("192.0.2.1:1024")
	cause := errors.New("length")
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		drops.Dropped(context.Background(), DropMalformed, source, bng, cause)
	}))
}
