package policy_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"linegate"
	"linegate/policy"
)

func TestEntitledIsWhatARequestWouldGet(t *testing.T) {
	profile := &linegate.NetworkProfile{ServiceVLAN: 100}
	walled := &linegate.NetworkProfile{ServiceVLAN: 100, WalledGarden: linegate.WalledGarden{ServiceVLAN: 66}}
	for name, test := range map[string]struct {
		subscriber *linegate.Subscriber
		settings   linegate.Settings
		reason     linegate.Reason
		admitted   bool
		vlan       linegate.VLAN
	}{
		"nobody":                        {nil, linegate.Settings{}, linegate.ReasonUnknownSubscriber, false, 0},
		"active":                        {&linegate.Subscriber{Profile: profile}, linegate.Settings{}, linegate.ReasonAuthorized, true, 100},
		"terminated":                    {&linegate.Subscriber{Status: linegate.StatusTerminated, Profile: profile}, linegate.Settings{}, linegate.ReasonTerminated, false, 0},
		"suspended":                     {&linegate.Subscriber{Status: linegate.StatusSuspended, Profile: profile}, linegate.Settings{}, linegate.ReasonSuspended, false, 0},
		"suspended into a garden":       {&linegate.Subscriber{Status: linegate.StatusSuspended, Profile: walled}, linegate.Settings{}, linegate.ReasonWalledGarden, true, 66},
		"without a profile":             {&linegate.Subscriber{}, linegate.Settings{}, linegate.ReasonAuthorized, true, 0},
		"without a profile, not wanted": {&linegate.Subscriber{}, linegate.Settings{NoProfile: linegate.NoProfileReject}, linegate.ReasonNoProfile, false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			grant, reason, admitted := policy.Entitled(test.subscriber, test.settings)
			assert.Equal(t, test.reason, reason)
			assert.Equal(t, test.admitted, admitted)
			assert.Equal(t, test.vlan, grant.ServiceVLAN)
		})
	}
}
