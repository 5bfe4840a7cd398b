package policy_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"linegate"
	"linegate/policy"
)

func TestOneOfSeveralLinesIsEnough(t *testing.T) {
	profile := &linegate.NetworkProfile{CircuitID: "olt1", RemoteID: "ONT1", Option82Policy: linegate.Option82Enforce,
		MoreLines: linegate.Lines{{CircuitID: "olt2", RemoteID: "ONT2"}, {RemoteID: "ONT3"}}}
	for name, test := range map[string]struct {
		circuit, remote string
		want            linegate.Option82Check
	}{
		"the first":                       {"olt1", "ONT1", linegate.Option82Check{Result: linegate.Option82Match}},
		"the second":                      {"olt2", "ONT2", linegate.Option82Check{Result: linegate.Option82Match}},
		"the third, by its remote-id":     {"anywhere", "ONT3", linegate.Option82Check{Result: linegate.Option82Match}},
		"the circuit of one, not its ONT": {"olt2", "ONT1", linegate.Option82Check{Result: linegate.Option82Mismatch, RemoteIDDiffers: true}},
		"none":                            {"olt9", "ONT9", linegate.Option82Check{Result: linegate.Option82Mismatch, RemoteIDDiffers: true}},
	} {
		test.want.Policy = linegate.Option82Enforce
		assert.Equal(t, test.want, policy.CheckOption82(profile, 0, line(test.circuit, test.remote)), name)
	}
	only := &linegate.NetworkProfile{MoreLines: linegate.Lines{{CircuitID: "olt2"}}, Option82Policy: linegate.Option82Enforce}
	assert.Equal(t, linegate.Option82Mismatch, policy.CheckOption82(only, 0, line("olt1", "")).Result,
		"a first line that names nothing does not let every line in")
}

func TestTheFormsOfTheProfileComeBeforeThoseOfTheNAS(t *testing.T) {
	profile := &linegate.NetworkProfile{CircuitID: "OLT1", Option82Policy: linegate.Option82Enforce}
	check := func(fallback linegate.LineMatch) linegate.Option82Result {
		return policy.CheckOption82(profile, fallback, line("olt1", "")).Result
	}
	assert.Equal(t, linegate.Option82Mismatch, check(0))
	assert.Equal(t, linegate.Option82Match, check(linegate.MatchFold))
	profile.LineMatch = linegate.MatchExact
	assert.Equal(t, linegate.Option82Mismatch, check(linegate.MatchFold))
	assert.False(t, policy.HasCircuit(profile, linegate.MatchFold, []byte("olt1")))
	assert.False(t, policy.HasCircuit(nil, linegate.MatchFold, []byte("olt1")))
	profile.LineMatch = linegate.MatchFold
	assert.True(t, policy.HasCircuit(profile, 0, []byte("olt1")))
}

func TestVLANsAreCheckedAsTheProfileAsks(t *testing.T) {
	for name, test := range map[string]struct {
		check  linegate.Option82Policy
		line   linegate.AccessLine
		result linegate.VLANResult
		reason linegate.Reason
	}{
		"not asked for":                      {"", linegate.AccessLine{ServiceVLAN: 9}, "", linegate.ReasonAuthorized},
		"both as they should be":             {linegate.Option82Enforce, linegate.AccessLine{ServiceVLAN: 101, InnerVLAN: 201}, linegate.VLANMatch, linegate.ReasonAuthorized},
		"another outer":                      {linegate.Option82Enforce, linegate.AccessLine{ServiceVLAN: 102, InnerVLAN: 201}, linegate.VLANMismatch, linegate.ReasonVLANMismatch},
		"another inner":                      {linegate.Option82Enforce, linegate.AccessLine{ServiceVLAN: 101, InnerVLAN: 202}, linegate.VLANMismatch, linegate.ReasonVLANMismatch},
		"no inner":                           {linegate.Option82Enforce, linegate.AccessLine{ServiceVLAN: 101}, linegate.VLANMismatch, linegate.ReasonVLANMismatch},
		"a NAS that tells none fails closed": {linegate.Option82Enforce, linegate.AccessLine{}, linegate.VLANUnknown, linegate.ReasonVLANUnknown},
		"a mismatch that is only logged":     {linegate.Option82Log, linegate.AccessLine{ServiceVLAN: 9}, linegate.VLANMismatch, linegate.ReasonAuthorized},
		"ignored":                            {linegate.Option82Ignore, linegate.AccessLine{ServiceVLAN: 9}, "", linegate.ReasonAuthorized},
	} {
		t.Run(name, func(t *testing.T) {
			subscriber := alice(func(s *linegate.Subscriber) { s.Profile.CheckVLAN = test.check })
			test.line.CircuitID, test.line.RemoteID = []byte("olt1 xpon 0/1/1"), []byte("ONT1")
			request := &linegate.Request{NAS: &linegate.NAS{Name: "bng1"}, Line: test.line, Proof: pap("secretpw")}
			facts := linegate.Facts{Subscriber: subscriber, FoundBy: linegate.ByUsername}
			decision := policy.Decide(request, facts, linegate.Settings{})
			assert.Equal(t, test.result, decision.VLAN.Result)
			assert.Equal(t, test.reason, decision.Reason)
			for _, step := range policy.Explain(request, facts, decision) {
				if step.Name == "vlan" {
					assert.Contains(t, step.Detail, string(test.result))
					assert.Equal(t, decision.Accept, step.Passed)
				}
			}
		})
	}
}

func TestExplainTellsWhoseLineItIs(t *testing.T) {
	subscriber := alice(nil)
	request := &linegate.Request{NAS: &linegate.NAS{LineMatch: linegate.MatchFold}, Proof: pap("secretpw"),
		Line: linegate.AccessLine{CircuitID: []byte("olt9"), Conflict: "NAS-Port-Id"}}
	facts := linegate.Facts{Subscriber: subscriber, FoundBy: linegate.ByUsername}
	decision := policy.Decide(request, facts, linegate.Settings{})
	detail := func() string { return policy.Explain(request, facts, decision)[3].Detail }
	assert.Contains(t, detail(), "(fold)")
	assert.Contains(t, detail(), "NAS-Port-Id names another line")
	decision.LineOwner = &linegate.Subscriber{Username: "bob"}
	assert.Contains(t, detail(), "that line is bob's")
	decision.LineShared = true
	assert.Contains(t, detail(), "several subscribers")
}

func TestAPatternMatchesNoFieldThatIsAbsentAndIdentifiesNobody(t *testing.T) {
	profile := &linegate.NetworkProfile{CircuitID: "*", Option82Policy: linegate.Option82Enforce, LineMatch: linegate.MatchGlob}
	assert.Equal(t, linegate.Option82Mismatch, policy.CheckOption82(profile, 0, linegate.AccessLine{RemoteID: []byte("ONT1")}).Result)
	assert.Equal(t, linegate.Option82Match, policy.CheckOption82(profile, 0, line("anything", "")).Result)

	subscriber := alice(func(s *linegate.Subscriber) {
		withoutPassword(s)
		s.Profile.CircuitID, s.Profile.LineMatch = "olt*", linegate.MatchGlob
	})
	request := &linegate.Request{NAS: &linegate.NAS{}, Line: line("olt1", "ONT1")}
	decision := policy.Decide(request, linegate.Facts{Subscriber: subscriber, FoundBy: linegate.ByMAC}, linegate.Settings{})
	assert.Equal(t, linegate.ReasonLineNotIdentified, decision.Reason)
}
