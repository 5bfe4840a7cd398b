package policy_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"linegate"
	"linegate/policy"
)

func TestALimitDecidesWhenEverythingElseIsWell(t *testing.T) {
	limited := alice(func(s *linegate.Subscriber) { s.Profile.MaxSessions = 2 })
	own := line("olt1 xpon 0/1/1", "ONT1")
	for name, test := range map[string]struct {
		subscriber *linegate.Subscriber
		proof      linegate.Proof
		admission  linegate.AdmissionVerdict
		reason     linegate.Reason
		needs      bool
	}{
		"there is room":                    {limited, pap("secretpw"), linegate.AdmissionGranted, linegate.ReasonAuthorized, true},
		"there is none":                    {limited, pap("secretpw"), linegate.AdmissionFull, linegate.ReasonSessionLimit, false},
		"the store was not asked":          {limited, pap("secretpw"), linegate.AdmissionUnasked, linegate.ReasonAuthorized, true},
		"a wrong password is told as such": {limited, pap("nope"), linegate.AdmissionFull, linegate.ReasonWrongPassword, false},
		"no limit, nothing to ask":         {alice(nil), pap("secretpw"), linegate.AdmissionUnasked, linegate.ReasonAuthorized, false},
		"no profile, no limit":             {alice(func(s *linegate.Subscriber) { s.Profile = nil }), pap("secretpw"), linegate.AdmissionUnasked, linegate.ReasonAuthorized, false},
		"nobody, nothing to ask":           {nil, pap("secretpw"), linegate.AdmissionUnasked, linegate.ReasonUnknownSubscriber, false},
		"a walled garden has its limit as well": {alice(func(s *linegate.Subscriber) {
			s.Status, s.Profile.MaxSessions, s.Profile.WalledGarden.ServiceVLAN = linegate.StatusSuspended, 1, 66
		}), pap("secretpw"), linegate.AdmissionUnasked, linegate.ReasonWalledGarden, true},
	} {
		t.Run(name, func(t *testing.T) {
			request := &linegate.Request{NAS: &linegate.NAS{}, Line: own, Proof: test.proof}
			facts := linegate.Facts{Subscriber: test.subscriber, FoundBy: linegate.ByUsername, Admission: test.admission}
			decision := policy.Decide(request, facts, linegate.Settings{})
			assert.Equal(t, test.reason, decision.Reason)
			assert.Equal(t, test.needs, policy.NeedsAdmission(&decision))
			if !decision.Accept {
				assert.Zero(t, decision.Grant)
			}
		})
	}
}

func TestWhatTheStoreIsAsked(t *testing.T) {
	limited := alice(func(s *linegate.Subscriber) { s.Profile.MaxSessions = 2 })
	now := time.Unix(1_700_000_000, 0)
	request := &linegate.Request{Line: line("olt1", ""), NASPortID: []byte("ge-0/0/1")}
	assert.Equal(t, linegate.Admission{SubscriberID: limited.ID, Place: linegate.PlaceOf("", "olt1", ""), Limit: 2, At: now, Hold: time.Minute},
		policy.Admission(request, limited, now, time.Minute))
}

func TestExplainTellsOfTheLimit(t *testing.T) {
	limited := alice(func(s *linegate.Subscriber) { s.Profile.MaxSessions = 2 })
	request := &linegate.Request{NAS: &linegate.NAS{}, Line: line("olt1 xpon 0/1/1", "ONT1"), Proof: pap("secretpw")}
	step := func(verdict linegate.AdmissionVerdict) (found policy.Step) {
		facts := linegate.Facts{Subscriber: limited, FoundBy: linegate.ByUsername, Admission: verdict}
		for _, step := range policy.Explain(request, facts, policy.Decide(request, facts, linegate.Settings{})) {
			if step.Name == "sessions" {
				found = step
			}
		}
		return found
	}
	assert.Equal(t, policy.Step{Name: "sessions", Passed: true, Detail: "max_sessions is 2, and there is room for this CPE"}, step(linegate.AdmissionGranted))
	assert.Equal(t, policy.Step{Name: "sessions", Detail: "max_sessions is 2, and so many other CPEs are online already"}, step(linegate.AdmissionFull))
	assert.Zero(t, step(linegate.AdmissionUnasked))
}
