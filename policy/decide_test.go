package policy_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"linegate"
	"linegate/policy"
)

// alice has a password and a line with both fields; change makes a variant.
func alice(change func(*linegate.Subscriber)) *linegate.Subscriber {
	subscriber := &linegate.Subscriber{
		ID: "018f0000-0000-7000-8000-000000000001", Tenant: "demo", Username: "alice",
		Credential: linegate.Credential{Kind: linegate.CredentialCleartext, Value: "secretpw"},
		Profile: &linegate.NetworkProfile{
			CircuitID: "olt1 xpon 0/1/1", RemoteID: "ONT1", Option82Policy: linegate.Option82Enforce,
			ServiceVLAN: 101, InnerVLAN: 201, StaticIPv4: netip.MustParseAddr("100.64.0.11"),
			DelegatedIPv6Prefix: netip.MustParsePrefix("2001:db8:100::/56"),
		},
	}
	subscriber.Normalize()
	if change != nil {
		change(subscriber)
	}
	return subscriber
}

func withPolicy(p linegate.Option82Policy) func(*linegate.Subscriber) {
	return func(s *linegate.Subscriber) { s.Profile.Option82Policy = p }
}

func withoutPassword(s *linegate.Subscriber) { s.Credential = linegate.Credential{} }

func line(circuit, remote string) linegate.AccessLine {
	return linegate.AccessLine{CircuitID: []byte(circuit), RemoteID: []byte(remote)}
}

func pap(password string) linegate.Proof {
	return linegate.Proof{Method: linegate.MethodPAP, Password: []byte(password)}
}

func TestDecide(t *testing.T) {
	own, wrong, right := line("olt1 xpon 0/1/1", "ONT1"), line("olt1 xpon 0/1/9", "ONT1"), pap("secretpw")
	none := linegate.Proof{Method: linegate.MethodNone}
	for name, test := range map[string]struct {
		subscriber *linegate.Subscriber
		proof      linegate.Proof
		line       linegate.AccessLine
		settings   linegate.Settings
		reason     linegate.Reason
		result     linegate.Option82Result
	}{
		"alice from her own line":              {alice(nil), right, own, linegate.Settings{}, linegate.ReasonAuthorized, linegate.Option82Match},
		"nobody is known":                      {nil, right, own, linegate.Settings{}, linegate.ReasonUnknownSubscriber, ""},
		"a wrong password":                     {alice(nil), pap("nope"), own, linegate.Settings{}, linegate.ReasonWrongPassword, ""},
		"an empty password":                    {alice(nil), pap(""), own, linegate.Settings{}, linegate.ReasonWrongPassword, ""},
		"no password at all":                   {alice(nil), none, own, linegate.Settings{}, linegate.ReasonMissingPassword, ""},
		"EAP":                                  {alice(nil), linegate.Proof{Method: linegate.MethodEAP}, own, linegate.Settings{}, linegate.ReasonMethodNotAllowed, ""},
		"enforce: another circuit":             {alice(nil), right, wrong, linegate.Settings{}, linegate.ReasonOption82Mismatch, linegate.Option82Mismatch},
		"enforce: another remote-id":           {alice(nil), right, line("olt1 xpon 0/1/1", "ONT9"), linegate.Settings{}, linegate.ReasonOption82Mismatch, linegate.Option82Mismatch},
		"enforce: circuit without remote-id":   {alice(nil), right, linegate.AccessLine{CircuitID: own.CircuitID}, linegate.Settings{}, linegate.ReasonOption82Mismatch, linegate.Option82Mismatch},
		"enforce: no Option 82":                {alice(nil), right, linegate.AccessLine{}, linegate.Settings{}, linegate.ReasonOption82Missing, linegate.Option82Missing},
		"enforce: empty Option 82 fields":      {alice(nil), right, line("", ""), linegate.Settings{}, linegate.ReasonOption82Missing, linegate.Option82Missing},
		"enforce: trailing NUL is not equal":   {alice(nil), right, line("olt1 xpon 0/1/1\x00", "ONT1"), linegate.Settings{}, linegate.ReasonOption82Mismatch, linegate.Option82Mismatch},
		"log: another circuit":                 {alice(withPolicy(linegate.Option82Log)), right, wrong, linegate.Settings{}, linegate.ReasonAuthorized, linegate.Option82Mismatch},
		"log: no Option 82":                    {alice(withPolicy(linegate.Option82Log)), right, linegate.AccessLine{}, linegate.Settings{}, linegate.ReasonAuthorized, linegate.Option82Missing},
		"ignore: another circuit":              {alice(withPolicy(linegate.Option82Ignore)), right, wrong, linegate.Settings{}, linegate.ReasonAuthorized, linegate.Option82Ignored},
		"a profile without remote-id":          {alice(func(s *linegate.Subscriber) { s.Profile.RemoteID = "" }), right, line("olt1 xpon 0/1/1", "any"), linegate.Settings{}, linegate.ReasonAuthorized, linegate.Option82Match},
		"a profile without circuit-id":         {alice(func(s *linegate.Subscriber) { s.Profile.CircuitID = "" }), right, line("any", "ONT1"), linegate.Settings{}, linegate.ReasonAuthorized, linegate.Option82Match},
		"no profile":                           {alice(func(s *linegate.Subscriber) { s.Profile = nil }), right, own, linegate.Settings{}, linegate.ReasonAuthorized, linegate.Option82NoProfile},
		"no profile, and that is refused":      {alice(func(s *linegate.Subscriber) { s.Profile = nil }), right, own, linegate.Settings{NoProfile: linegate.NoProfileReject}, linegate.ReasonNoProfile, linegate.Option82NoProfile},
		"no profile and no password":           {alice(func(s *linegate.Subscriber) { s.Profile = nil; withoutPassword(s) }), none, own, linegate.Settings{}, linegate.ReasonLineNotIdentified, linegate.Option82NoProfile},
		"suspended":                            {alice(func(s *linegate.Subscriber) { s.Status = linegate.StatusSuspended }), right, own, linegate.Settings{}, linegate.ReasonSuspended, ""},
		"suspended, and the password is wrong": {alice(func(s *linegate.Subscriber) { s.Status = linegate.StatusSuspended }), pap("no"), own, linegate.Settings{}, linegate.ReasonWrongPassword, ""},
		"terminated":                           {alice(func(s *linegate.Subscriber) { s.Status = linegate.StatusTerminated }), right, own, linegate.Settings{}, linegate.ReasonTerminated, ""},
		"IPoE from the own line":               {alice(withoutPassword), none, own, linegate.Settings{}, linegate.ReasonAuthorized, linegate.Option82Match},
		"IPoE with the MAC as password":        {alice(withoutPassword), pap("02:00:00:00:01:01"), own, linegate.Settings{}, linegate.ReasonAuthorized, linegate.Option82Match},
		"no password and MS-CHAPv2":            {alice(withoutPassword), linegate.Proof{Method: linegate.MethodMSCHAPv2}, own, linegate.Settings{}, linegate.ReasonMethodNeedsClear, ""},
		"IPoE from elsewhere":                  {alice(withoutPassword), none, wrong, linegate.Settings{}, linegate.ReasonOption82Mismatch, linegate.Option82Mismatch},
		"IPoE from elsewhere under log":        {alice(func(s *linegate.Subscriber) { withoutPassword(s); withPolicy(linegate.Option82Log)(s) }), none, wrong, linegate.Settings{}, linegate.ReasonLineNotIdentified, linegate.Option82Mismatch},
		"IPoE from elsewhere under ignore":     {alice(func(s *linegate.Subscriber) { withoutPassword(s); withPolicy(linegate.Option82Ignore)(s) }), none, wrong, linegate.Settings{}, linegate.ReasonLineNotIdentified, linegate.Option82Ignored},
		"IPoE and a profile without a line":    {alice(func(s *linegate.Subscriber) { withoutPassword(s); s.Profile.CircuitID, s.Profile.RemoteID = "", "" }), none, own, linegate.Settings{}, linegate.ReasonLineNotIdentified, linegate.Option82Match},
	} {
		t.Run(name, func(t *testing.T) {
			request := &linegate.Request{NAS: &linegate.NAS{Tenant: "demo"}, UserName: []byte("alice"), Proof: test.proof, Line: test.line}
			decision := policy.Decide(request, linegate.Facts{Subscriber: test.subscriber, FoundBy: linegate.ByUsername}, test.settings)
			assert.Equal(t, test.reason, decision.Reason)
			assert.Equal(t, test.result, decision.Option82.Result)
			assert.Equal(t, test.reason == linegate.ReasonAuthorized, decision.Accept)
			if !decision.Accept {
				assert.Zero(t, decision.Grant, "a reject grants nothing")
			}
			assertExplained(t, request, linegate.Facts{Subscriber: test.subscriber, FoundBy: linegate.ByUsername}, decision)
		})
	}
}

// assertExplained checks that the explanation ends with the decision and names
// exactly one failing step before a reject.
func assertExplained(t *testing.T, request *linegate.Request, facts linegate.Facts, decision linegate.Decision) {
	t.Helper()
	steps := policy.Explain(request, facts, decision)
	require.GreaterOrEqual(t, len(steps), 2)
	failed := 0
	for _, step := range steps[:len(steps)-1] {
		assert.NotEmpty(t, step.Detail)
		assert.NotContains(t, step.Detail, "secretpw")
		if !step.Passed {
			failed++
		}
	}
	answer := steps[len(steps)-1]
	assert.Equal(t, decision.Accept, answer.Passed)
	assert.Contains(t, answer.Detail, string(decision.Reason))
	assert.Equal(t, !decision.Accept, failed == 1, "%+v", steps)
}

func TestAmbiguousIdentityIsRejected(t *testing.T) {
	request := &linegate.Request{NAS: &linegate.NAS{}, Proof: pap("secretpw")}
	facts := linegate.Facts{Ambiguous: true, FoundBy: linegate.ByCircuit}
	decision := policy.Decide(request, facts, linegate.Settings{})
	assert.Equal(t, linegate.ReasonAmbiguousIdentity, decision.Reason)
	assert.False(t, decision.Accept)
	assertExplained(t, request, facts, decision)
}

func TestMismatchNamesItsFields(t *testing.T) {
	profile := alice(nil).Profile
	check := policy.CheckOption82(profile, 0, line("other", "ONT1"))
	assert.True(t, check.CircuitIDDiffers)
	assert.False(t, check.RemoteIDDiffers)
	check = policy.CheckOption82(profile, 0, line("other", "other"))
	assert.True(t, check.CircuitIDDiffers)
	assert.True(t, check.RemoteIDDiffers)
}

func TestGrantHoldsTheProfile(t *testing.T) {
	full := alice(func(s *linegate.Subscriber) {
		s.Profile.QinQEnabled = true
		s.Profile.IPv6Mode = linegate.IPv6DualStack
		s.Profile.FramedIPv6Prefix = netip.MustParsePrefix("2001:db8:200:1::/64")
		s.Profile.StaticIPv6 = netip.MustParseAddr("2001:db8:300::5")
		s.Profile.Rate = linegate.Rate{DownloadKbps: 100_000, UploadKbps: 20_000}
		s.Profile.SessionTimeout = time.Hour
		s.Profile.FramedPool, s.Profile.FramedIPv6Pool, s.Profile.DelegatedIPv6Pool, s.Profile.StatefulIPv6Pool = "p4", "p6", "pd", "na"
	})
	grantFor := func(subscriber *linegate.Subscriber, by linegate.Identity) linegate.Grant {
		request := &linegate.Request{NAS: &linegate.NAS{}, Proof: pap("secretpw"), Line: line("olt1 xpon 0/1/1", "ONT1")}
		decision := policy.Decide(request, linegate.Facts{Subscriber: subscriber, FoundBy: by}, linegate.Settings{AcctInterimInterval: 600, SessionTimeout: 5})
		require.True(t, decision.Accept, decision.Reason)
		return decision.Grant
	}

	assert.Equal(t, linegate.Grant{
		ServiceVLAN: 101, InnerVLAN: 201, QinQ: true, IPv4: full.Profile.StaticIPv4,
		IPv6Mode: linegate.IPv6DualStack, FramedIPv6Prefix: full.Profile.FramedIPv6Prefix,
		FramedIPv6Address: full.Profile.StaticIPv6, DelegatedIPv6Prefix: full.Profile.DelegatedIPv6Prefix,
		FramedPool: "p4", FramedIPv6Pool: "p6", DelegatedIPv6Pool: "pd", StatefulIPv6Pool: "na",
		Rate: full.Profile.Rate, SessionTimeout: 3600, AcctInterimInterval: 600,
	}, grantFor(full, linegate.ByUsername))

	assert.Equal(t, "alice", grantFor(full, linegate.ByCircuit).UserName, "the name for accounting")

	for mode, want := range map[linegate.IPv6AssignmentMode][3]bool{
		linegate.IPv6None: {}, linegate.IPv6SLAAC: {true}, linegate.IPv6Stateful: {false, true}, linegate.IPv6PD: {false, false, true},
	} {
		full.Profile.IPv6Mode = mode
		grant := grantFor(full, linegate.ByUsername)
		assert.Equal(t, want, [3]bool{grant.FramedIPv6Prefix.IsValid(), grant.FramedIPv6Address.IsValid(), grant.DelegatedIPv6Prefix.IsValid()}, mode)
	}

	full.Profile.QinQEnabled = false
	assert.Zero(t, grantFor(full, linegate.ByUsername).InnerVLAN)
}

func TestWalledGardenReplacesTheService(t *testing.T) {
	suspended := alice(func(s *linegate.Subscriber) {
		s.Status = linegate.StatusSuspended
		s.Profile.WalledGarden = linegate.WalledGarden{ServiceVLAN: 999, FilterID: "pay", Pool: "garden"}
	})
	request := &linegate.Request{NAS: &linegate.NAS{}, Proof: pap("secretpw"), Line: line("olt1 xpon 0/1/1", "ONT1")}
	facts := linegate.Facts{Subscriber: suspended, FoundBy: linegate.ByUsername}
	decision := policy.Decide(request, facts, linegate.Settings{})
	assert.True(t, decision.Accept)
	assert.Equal(t, linegate.ReasonWalledGarden, decision.Reason)
	assert.Equal(t, linegate.Grant{ServiceVLAN: 999, FilterID: "pay", FramedPool: "garden", IPv6Mode: linegate.IPv6None}, decision.Grant)
	assertExplained(t, request, facts, decision)

	request.Line = line("elsewhere", "ONT1")
	assert.Equal(t, linegate.ReasonOption82Mismatch, policy.Decide(request, facts, linegate.Settings{}).Reason,
		"the garden is entered from the own line only")
}

func TestDecidingDoesNotAllocate(t *testing.T) {
	request := &linegate.Request{NAS: &linegate.NAS{}, Proof: pap("secretpw"), Line: line("olt1 xpon 0/1/1", "ONT1")}
	facts := linegate.Facts{Subscriber: alice(nil), FoundBy: linegate.ByUsername}
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		if !policy.Decide(request, facts, linegate.Settings{}).Accept {
			t.Fatal("rejected")
		}
	}))
}
