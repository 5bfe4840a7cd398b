package voltha

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"linegate"
	"linegate/provisioning/peertest"
	pb "linegate/provisioning/voltha/volthapb"
)

const serial = "BBSM00000001"

func TestTheContractOfAServiceOnAnONU(t *testing.T) {
	client, serial := target(t)
	service := double("contract-1", serial, 3901)
	require.NoError(t, client.Remove(t.Context(), service), "what is not there is no error")
	found, err := client.Verify(t.Context(), service)
	require.NoError(t, err)
	require.False(t, found.Installed)

	for range 2 {
		result, err := client.Provision(t.Context(), service)
		require.NoError(t, err)
		assert.True(t, result.Installed)
		assert.NotEmpty(t, result.Device)
	}
	changed := service
	changed.InnerVLAN = 3902
	_, err = client.Change(t.Context(), service, changed)
	require.NoError(t, err)
	found, err = client.Verify(t.Context(), changed)
	require.NoError(t, err)
	assert.True(t, found.Installed, found.Detail)
	found, err = client.Verify(t.Context(), service)
	require.NoError(t, err)
	assert.False(t, found.Installed, "the service as it was is gone")

	for range 2 {
		require.NoError(t, client.Remove(t.Context(), changed))
	}
	found, err = client.Verify(t.Context(), changed)
	require.NoError(t, err)
	assert.False(t, found.Installed)
}

func TestARepeatedProvisionSendsNothing(t *testing.T) {
	l := newLab(t)
	l.provision(t, double("s1", serial, 900))
	before := l.changes()
	l.provision(t, double("s1", serial, 900))
	assert.Equal(t, before, l.changes())
	assert.Len(t, l.Wire(), 4)
}

// changes counts the calls that change something.
func (l *lab) changes() (count int) {
	for _, call := range l.Calls() {
		if strings.HasPrefix(call, "Update") {
			count++
		}
	}
	return count
}

func TestAFlowThatIsAcceptedAndDroppedIsNoSuccessAndLeavesNothing(t *testing.T) {
	l := newLab(t)
	service := double("s1", serial, 900)
	service.TechProfile = 99 // not there: refused 1.5 s after the OK
	_, err := l.client.Provision(t.Context(), service)
	require.ErrorIs(t, err, linegate.ErrTryAgain)
	assert.ErrorContains(t, err, "technology profile 99")
	assert.Empty(t, l.Flows())
}

func TestAnONUThatHasAnotherServiceIsNotBelievedTooEarly(t *testing.T) {
	l := newLab(t)
	l.provision(t, double("s1", serial, 900)) // so the ONU says that flows were pushed
	second := double("s2", serial, 901)
	second.UNI, second.TechProfile = 2, 99
	_, err := l.client.Provision(t.Context(), second)
	require.ErrorIs(t, err, linegate.ErrTryAgain)
	assert.Len(t, l.Flows(), 4, "those of the other service")
}

func TestAHalfInstalledGroupIsUndone(t *testing.T) {
	l := newLab(t)
	l.Inject(peertest.Fault{On: "FlowTable", Do: func() { l.PowerOff(serial) }})
	_, err := l.client.Provision(t.Context(), double("s1", serial, 900))
	require.ErrorIs(t, err, linegate.ErrTryAgain)
	assert.Empty(t, l.Flows(), "the core kept the last of the four")
}

func TestAnONUThatNeverReportsItsFlowsIsGivenUpAfterThirtySeconds(t *testing.T) {
	l := newLab(t)
	l.Stall(serial)
	start := l.clock.Now()
	_, err := l.client.Provision(t.Context(), double("s1", serial, 900))
	require.ErrorIs(t, err, linegate.ErrTryAgain)
	assert.ErrorContains(t, err, "did not take the flows within 30s")
	assert.WithinRange(t, l.clock.Now(), start.Add(30*time.Second), start.Add(35*time.Second))
	assert.Empty(t, l.Flows())
	assert.Empty(t, l.Wire())
}

func TestAControllerThatDeletesForeignFlowsIsNamed(t *testing.T) {
	l := newLab(t)
	l.AttachController()
	_, err := l.client.Provision(t.Context(), double("s1", serial, 900))
	require.ErrorIs(t, err, linegate.ErrRefused)
	assert.ErrorContains(t, err, "a controller is attached to the core")
	assert.Empty(t, l.Flows())
}

func TestARestartOfTheCoreIsSeenAndRepaired(t *testing.T) {
	l := newLab(t)
	service := double("s1", serial, 900)
	l.provision(t, service)
	l.Restart()
	found, err := l.client.Verify(t.Context(), service)
	require.NoError(t, err)
	assert.False(t, found.Installed)
	assert.Contains(t, found.Detail, "0 of 4 flows")
	l.provision(t, service)
	assert.Len(t, l.Flows(), 4)
}

func TestARebootedONUIsSeenAndItsFlowsAreDeletedAndAddedAgain(t *testing.T) {
	l := newLab(t)
	service := double("s1", serial, 900)
	l.provision(t, service)
	l.RebootONU(serial)
	require.Len(t, l.Wire(), 2, "only the OLT has flows now")
	found, err := l.client.Verify(t.Context(), service)
	require.NoError(t, err)
	assert.False(t, found.Installed)
	assert.Contains(t, found.Detail, "initial-mib-downloaded")
	l.provision(t, service)
	assert.Len(t, l.Wire(), 4)
}

func TestAnONUThatWasDeletedAndCameBackIsFoundByItsSerial(t *testing.T) {
	l := newLab(t)
	service := double("s1", serial, 900)
	l.provision(t, service)
	l.DeleteONU(serial)
	result, err := l.client.Provision(t.Context(), service)
	require.NoError(t, err)
	assert.Equal(t, "00000000-0000-4000-8000-000000000001", result.Device)
	assert.Len(t, l.Wire(), 4)
}

func TestAChangeLeavesExactlyTheNewFlows(t *testing.T) {
	was := double("s1", serial, 900)
	cases := map[string]func(*linegate.ONUService){
		"of the inner tag":        func(s *linegate.ONUService) { s.InnerVLAN = 901 },
		"of the outer tag":        func(s *linegate.ONUService) { s.ServiceVLAN = 801 },
		"of the customer's tag":   func(s *linegate.ONUService) { s.CustomerVLAN = 0 },
		"of the rate":             func(s *linegate.ONUService) { s.Upstream.PIR = 300_000 },
		"to one tag":              func(s *linegate.ONUService) { s.QinQ, s.ServiceVLAN = false, 700 },
		"to any tag":              func(s *linegate.ONUService) { s.QinQ, s.Transparent, s.CustomerVLAN = false, true, 0 },
		"to another port":         func(s *linegate.ONUService) { s.UNI = 2 },
		"to another ONU":          func(s *linegate.ONUService) { s.Serial = "BBSM00000002" },
		"of the technology":       func(s *linegate.ONUService) { s.TechProfile = 65 },
		"of nothing":              func(*linegate.ONUService) {},
		"of what is only noted":   func(s *linegate.ONUService) { s.IPv6Mode = linegate.IPv6SLAAC },
		"in the serial's letters": func(s *linegate.ONUService) { s.Serial = strings.ToLower(s.Serial) },
	}
	for name, change := range cases {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			l.provision(t, was)
			wanted := was
			change(&wanted)
			result, err := l.client.Change(t.Context(), was, wanted)
			require.NoError(t, err)
			assert.True(t, result.Installed)
			assert.Len(t, l.Flows(), 4)
			assert.Len(t, l.Wire(), 4)
			found, err := l.client.Verify(t.Context(), wanted)
			require.NoError(t, err)
			assert.True(t, found.Installed, found.Detail)
		})
	}
}

func TestAChangeKeepsTheID(t *testing.T) {
	l := newLab(t)
	_, err := l.client.Change(t.Context(), double("s1", serial, 900), double("s2", serial, 900))
	require.ErrorIs(t, err, linegate.ErrRefused)
}

func TestAnInterruptedChangeIsFinishedByTheNextCall(t *testing.T) {
	was, wanted := double("s1", serial, 900), double("s1", serial, 901)
	for skip := range 8 { // four deletes, four adds
		t.Run(fmt.Sprintf("at update %d", skip+1), func(t *testing.T) {
			l := newLab(t)
			l.provision(t, was)
			l.Inject(peertest.Fault{On: "FlowTable", Skip: skip, Lost: true})
			_, err := l.client.Change(t.Context(), was, wanted)
			if err != nil {
				assert.True(t, errors.Is(err, linegate.ErrTryAgain) || errors.Is(err, linegate.ErrOutcomeUnknown), err)
			}
			_, err = l.client.Change(t.Context(), was, wanted)
			require.NoError(t, err)
			assert.Len(t, l.Wire(), 4)
			assert.Len(t, l.Flows(), 4)
		})
	}
}

func TestRemoveTakesFlowsOffTheLineAndLeavesOtherServices(t *testing.T) {
	l := newLab(t)
	first, second := double("s1", serial, 900), double("s2", serial, 901)
	second.UNI = 2
	l.provision(t, first)
	l.provision(t, second)
	require.NoError(t, l.client.Remove(t.Context(), first))
	assert.Len(t, l.Wire(), 4)
	found, err := l.client.Verify(t.Context(), second)
	require.NoError(t, err)
	assert.True(t, found.Installed, "the ONU speaks of the other service's flows: "+found.Detail)
	before := l.changes()
	require.NoError(t, l.client.Remove(t.Context(), first))
	assert.Equal(t, before, l.changes(), "a second removal has nothing to do")
}

func TestRemoveFindsTheFlowsOfAnONUThatIsGone(t *testing.T) {
	l := newLab(t)
	service := double("s1", serial, 900)
	l.provision(t, service)
	l.Unplug(serial)
	require.NoError(t, l.client.Remove(t.Context(), service))
	assert.Empty(t, l.Flows())
	assert.Empty(t, l.Wire())
}

func TestRemoveAfterARestartOfTheCoreReachesTheOLT(t *testing.T) {
	l := newLab(t)
	service := double("s1", serial, 900)
	l.provision(t, service)
	l.Restart()
	require.Len(t, l.Wire(), 4)
	require.NoError(t, l.client.Remove(t.Context(), service))
	assert.Empty(t, l.Wire())
	assert.Empty(t, l.Flows())
}

func TestADeletionThatTheCoreAbortsIsJudgedByWhatIsLeft(t *testing.T) {
	l := newLab(t)
	service := double("s1", serial, 900)
	l.provision(t, service)
	aborted := status.Error(codes.Aborted, "failed deleting flows id:1, errors:[flow-delete-failed]")
	l.Inject(peertest.Fault{On: "FlowTable", Err: aborted})
	err := l.client.Remove(t.Context(), service)
	require.ErrorIs(t, err, linegate.ErrOutcomeUnknown, "one flow is still listed")
	require.NoError(t, l.client.Remove(t.Context(), service))
	assert.Empty(t, l.Wire())
}

func TestSubscribersOfOneRateShareAMeterThatStays(t *testing.T) {
	l := newLab(t)
	first, second := double("s1", serial, 900), double("s2", "BBSM00000002", 901)
	l.provision(t, first)
	l.provision(t, second)
	assert.Len(t, l.Meters(), 2)
	require.NoError(t, l.client.Remove(t.Context(), first))
	assert.Len(t, l.Meters(), 2, "deleting a meter in use would lose the other's flows")
	assert.Len(t, l.Flows(), 4)
}

func TestAMeterIDThatOthersHaveIsPassedOver(t *testing.T) {
	l := newLab(t)
	service := double("s1", serial, 900)
	taken := meterID(bands(service.Upstream, 0))
	l.AddMeter(&pb.OfpMeterConfig{MeterId: taken, Bands: bands(linegate.Bandwidth{PIR: 7}, 0)})
	l.provision(t, service)
	ids := []uint32{}
	for _, flow := range l.Flows() {
		ids = append(ids, meterOf(flow.Instructions))
	}
	assert.Contains(t, ids, taken+1)
	assert.NotContains(t, ids, taken)
}

func TestFlowsThatWouldReplaceAnothersAreRefused(t *testing.T) {
	other := double("s2", "BBSM00000002", 900)
	cases := map[string]func(*lab, *linegate.ONUService){
		"two subscribers with one pair of tags": func(l *lab, _ *linegate.ONUService) {
			l.provision(t, other)
		},
		"a second service with the same customer tag": func(l *lab, s *linegate.ONUService) {
			second := double("s3", serial, 905)
			l.provision(t, second)
		},
		"a flow made by hand": func(l *lab, s *linegate.ONUService) {
			made := flows(s, path{uni: 256, nni: 1 << 24, techProfile: 64})[0]
			made.Cookie = 7
			l.AddFlow(made)
		},
	}
	for name, prepare := range cases {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			service := double("s1", serial, 900)
			prepare(l, &service)
			before := l.Flows()
			_, err := l.client.Provision(t.Context(), service)
			require.ErrorIs(t, err, linegate.ErrRefused)
			assert.ErrorContains(t, err, "is taken by")
			assert.Len(t, l.Flows(), len(before))
		})
	}
}

func TestProvisionWaitsUntilTheLineIsReady(t *testing.T) {
	type step = func(*lab)
	cases := map[string]struct{ before, later step }{
		"the adapter of the OLT has not registered": {
			func(l *lab) { l.Unregister("openolt") },
			func(l *lab) { l.Register("openolt") }},
		"the OLT has not seen its first heartbeat": {
			func(l *lab) {
				l.SetOLT(pb.AdminState_ENABLED, pb.OperStatus_ACTIVATING, pb.ConnectStatus_UNKNOWN)
			},
			func(l *lab) { l.SetOLT(pb.AdminState_ENABLED, pb.OperStatus_ACTIVE, pb.ConnectStatus_REACHABLE) }},
		"the ONU is starting": {
			func(l *lab) {
				l.SetONU(serial, pb.AdminState_ENABLED, pb.OperStatus_ACTIVATING, pb.ConnectStatus_REACHABLE, "starting-openomci")
			},
			func(l *lab) { l.PowerOn(serial) }},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			c.before(l)
			l.Inject(peertest.Fault{On: "ListAdapters", Skip: 3, Do: func() { c.later(l) }})
			l.provision(t, double("s1", serial, 900))
		})
		t.Run(name+", and stays so", func(t *testing.T) {
			l := newLab(t)
			c.before(l)
			start := l.clock.Now()
			_, err := l.client.Provision(t.Context(), double("s1", serial, 900))
			require.ErrorIs(t, err, linegate.ErrTryAgain)
			assert.GreaterOrEqual(t, l.clock.Now().Sub(start), 20*time.Second)
			assert.Zero(t, l.changes(), "nothing was sent")
		})
	}
}

func TestWhatStandsInTheWayIsSaid(t *testing.T) {
	cases := map[string]struct {
		prepare func(*lab, *linegate.ONUService)
		kind    error
		says    string
	}{
		"nobody has seen the ONU": {func(_ *lab, s *linegate.ONUService) { s.Serial = "BBSM000000FF" },
			linegate.ErrTryAgain, "no ONU with this serial"},
		"the ONU has fewer ports": {func(_ *lab, s *linegate.ONUService) { s.UNI = 9 },
			linegate.ErrRefused, "has no port 9"},
		"the ONU was seen but has no ports yet": {func(l *lab, s *linegate.ONUService) {
			s.UNI = 9
			l.SetONU(serial, pb.AdminState_ENABLED, pb.OperStatus_DISCOVERED, pb.ConnectStatus_REACHABLE, "activating-onu")
		}, linegate.ErrTryAgain, "DISCOVERED/REACHABLE (activating-onu)"},
		"the ONU is locked": {func(l *lab, _ *linegate.ONUService) {
			l.SetONU(serial, pb.AdminState_DISABLED, pb.OperStatus_UNKNOWN, pb.ConnectStatus_REACHABLE, "omci-admin-lock")
		}, linegate.ErrRefused, "disabled in VOLTHA"},
		"the OLT is disabled": {func(l *lab, _ *linegate.ONUService) {
			l.SetOLT(pb.AdminState_DISABLED, pb.OperStatus_UNKNOWN, pb.ConnectStatus_REACHABLE)
		}, linegate.ErrTryAgain, "the OLT BBSIM_OLT_0 is DISABLED"},
		"the connection to the OLT's adapter is down": {func(l *lab, _ *linegate.ONUService) { l.SetOLTAdapter(false) },
			linegate.ErrTryAgain, "adapter-connection-down"},
		"the uplink is missing": {func(l *lab, _ *linegate.ONUService) { l.RemoveUplink() },
			linegate.ErrTryAgain, "no port to the network"},
		"the core is down": {func(l *lab, _ *linegate.ONUService) {
			l.Inject(peertest.Fault{Times: 99, Err: status.Error(codes.Unavailable, "connection refused")})
		}, linegate.ErrTryAgain, "connection refused"},
		"the core wants to know who asks": {func(l *lab, _ *linegate.ONUService) {
			l.Inject(peertest.Fault{Err: status.Error(codes.Unauthenticated, "who is it")})
		}, linegate.ErrRefused, "who is it"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			service := double("s1", serial, 900)
			c.prepare(l, &service)
			_, err := l.client.Provision(t.Context(), service)
			require.ErrorIs(t, err, c.kind)
			assert.ErrorContains(t, err, c.says)
			assert.ErrorContains(t, err, "onu "+portName(&service))
			assert.Empty(t, l.Flows())
		})
	}
}

func TestAnAnswerThatIsLostOrNeverComesLeavesAllOrNothing(t *testing.T) {
	kinds := map[string]peertest.Fault{"the answer is lost": {Lost: true}, "the connection broke": {}}
	for kind, fault := range kinds {
		for skip := range 6 { // two meters, four flows
			t.Run(fmt.Sprintf("%s at update %d", kind, skip+1), func(t *testing.T) {
				l := newLab(t)
				fault.On, fault.Skip = "Update", skip
				l.Inject(fault)
				_, err := l.client.Provision(t.Context(), double("s1", serial, 900))
				require.Error(t, err)
				assert.True(t, errors.Is(err, linegate.ErrTryAgain) || errors.Is(err, linegate.ErrOutcomeUnknown), err)
				assert.Empty(t, l.Flows())
				l.provision(t, double("s1", serial, 900))
				assert.Len(t, l.Wire(), 4)
			})
		}
	}
	t.Run("it hangs", func(t *testing.T) {
		l := newLab(t, func(c *Config) { c.Call = 3 * time.Second })
		l.Inject(peertest.Fault{On: "FlowTable", Skip: 2, Hang: true})
		_, err := l.client.Provision(t.Context(), double("s1", serial, 900))
		require.ErrorIs(t, err, linegate.ErrTryAgain, "what was made is deleted again")
		assert.Empty(t, l.Flows())
		l.provision(t, double("s1", serial, 900))
	})
}

func TestAnUndoThatFailsIsAnUnknownOutcomeAndTheNextCallMendsIt(t *testing.T) {
	l := newLab(t)
	l.Inject(peertest.Fault{On: "FlowTable", Skip: 3, Times: 2})
	_, err := l.client.Provision(t.Context(), double("s1", serial, 900))
	require.ErrorIs(t, err, linegate.ErrOutcomeUnknown)
	l.provision(t, double("s1", serial, 900))
	assert.Len(t, l.Wire(), 4)
}

func TestACallerWhoseTimeIsUpLeavesNothing(t *testing.T) {
	l := newLab(t, func(c *Config) { c.After = time.After })
	ctx := within(t, time.Second)
	l.Stall(serial)
	_, err := l.client.Provision(ctx, double("s1", serial, 900))
	require.Error(t, err)
	assert.Empty(t, l.Wire())
}

func TestManyServicesAtOnceDoNotDisturbEachOther(t *testing.T) {
	l := newLab(t)
	serials := l.AddONUs(16)
	failed := make(chan error, len(serials))
	for i, serial := range serials {
		go func() {
			_, err := l.client.Provision(t.Context(), double(fmt.Sprintf("s%d", i), serial, linegate.VLAN(100+i)))
			failed <- err
		}()
	}
	for range serials {
		assert.NoError(t, <-failed)
	}
	assert.Len(t, l.Wire(), 4*len(serials))
	assert.Len(t, l.Meters(), 2)
}

func TestAnAnswerOfManyMegabytesIsRead(t *testing.T) {
	l := newLab(t)
	serials := l.AddONUs(55_000)
	found, err := l.client.Verify(t.Context(), double("s1", serials[54_999], 900))
	require.NoError(t, err)
	assert.NotEmpty(t, found.Device)
}

func TestTheAddressesOfTheSubscriberAreLoggedWithTheONU(t *testing.T) {
	l := newLab(t)
	l.provision(t, double("s1", serial, 900))
	for _, part := range []string{
		`"msg":"ONU BBSM00000001 provisioned with IPv6 mode: pd, Delegated prefix: 2001:db8:100::/56"`,
		`"event":"onu_provisioned"`, `"ipv6_assignment_mode":"pd"`, `"static_ipv4":"192.0.2.7"`, `"inner_vlan":900`,
	} {
		assert.Contains(t, l.log.String(), part)
	}
}

func TestEveryFlowIsOneThatNoAdapterDiesOf(t *testing.T) {
	service := linegate.ONUService{ID: "s1", ServiceVLAN: 800}
	for _, s := range []linegate.ONUService{
		service,
		{ID: "s1", ServiceVLAN: 800, CustomerVLAN: 7},
		{ID: "s1", ServiceVLAN: 800, InnerVLAN: 900, QinQ: true},
		{ID: "s1", ServiceVLAN: 800, InnerVLAN: 900, QinQ: true, CustomerVLAN: 7},
		{ID: "s1", ServiceVLAN: 800, Transparent: true},
	} {
		for _, flow := range flows(&s, path{uni: 256, nni: 1 << 24}) {
			require.NotNil(t, flow.Match)
			assert.Equal(t, pb.OfpMatchType_OFPMT_OXM, flow.Match.Type)
			for _, instruction := range flow.Instructions {
				for _, action := range instruction.GetActions().GetActions() {
					if action.Type == pb.OfpActionType_OFPAT_PUSH_VLAN {
						assert.EqualValues(t, 0x8100, action.GetPush().Ethertype)
					}
				}
			}
		}
	}
}

func TestCookiesOfServicesHaveDifferentPrefixes(t *testing.T) {
	seen := map[uint64]string{}
	for i := range 20_000 {
		id := fmt.Sprintf("service-%d", i)
		prefix := cookiePrefix(id)
		require.Empty(t, seen[prefix], id)
		require.Equal(t, cookieMark, prefix&cookieOwner)
		require.Zero(t, prefix&^cookieMask, "the last octet counts the flows")
		seen[prefix] = id
	}
}

func TestBandsSayTheBandwidth(t *testing.T) {
	type b = linegate.Bandwidth
	cases := map[string]struct {
		given b
		want  [][2]uint32 // rate and burst size
	}{
		"a peak":                              {b{PIR: 100_000}, [][2]uint32{{100_000, 2000}}},
		"a committed rate below it":           {b{PIR: 100_000, CIR: 50_000}, [][2]uint32{{50_000, 1000}, {100_000, 2000}}},
		"a committed rate as high as it":      {b{PIR: 100_000, CIR: 100_000}, [][2]uint32{{100_000, 2000}, {100_000, 2000}}},
		"a guaranteed rate as high as it":     {b{PIR: 8000, GIR: 8000}, [][2]uint32{{8000, 0}}},
		"all three":                           {b{PIR: 100_000, CIR: 50_000, GIR: 5000}, [][2]uint32{{5000, 0}, {50_000, 1000}, {100_000, 2000}}},
		"a guaranteed rate alone":             {b{PIR: 100_000, GIR: 5000}, [][2]uint32{{5000, 0}, {5000, 100}, {100_000, 2000}}},
		"no limit":                            {b{}, [][2]uint32{{10_000_000, 200_000}}},
		"no limit, but a committed rate":      {b{CIR: 50_000}, [][2]uint32{{50_000, 1000}, {10_000_000, 200_000}}},
		"a rate that is lower than any burst": {b{PIR: 64}, [][2]uint32{{64, 100}}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var got [][2]uint32
			for _, band := range bands(c.given, 10_000_000) {
				got = append(got, [2]uint32{band.Rate, band.BurstSize})
			}
			assert.Equal(t, c.want, got)
		})
	}
}

func TestWhatNoBackendCanMakeIsRefusedBeforeAnythingIsSent(t *testing.T) {
	cases := map[string]struct {
		change func(*linegate.ONUService)
		says   string
	}{
		"an id with a space":             {func(s *linegate.ONUService) { s.ID = "a b" }, "id"},
		"no id":                          {func(s *linegate.ONUService) { s.ID = "" }, "id"},
		"a serial in hex":                {func(s *linegate.ONUService) { s.Serial = "4242534D00000001" }, "serial"},
		"no port":                        {func(s *linegate.ONUService) { s.UNI = 0 }, "uni"},
		"no tag":                         {func(s *linegate.ONUService) { s.ServiceVLAN = 0 }, "service_vlan"},
		"a reserved tag":                 {func(s *linegate.ONUService) { s.ServiceVLAN = 4095 }, "service_vlan"},
		"a customer tag out of range":    {func(s *linegate.ONUService) { s.CustomerVLAN = 4095 }, "customer_vlan"},
		"qinq without an inner tag":      {func(s *linegate.ONUService) { s.InnerVLAN = 0 }, "inner_vlan"},
		"transparent with qinq":          {func(s *linegate.ONUService) { s.Transparent = true }, "transparent"},
		"a committed rate over the peak": {func(s *linegate.ONUService) { s.Upstream.CIR = 200_000 }, "upstream"},
		"a guaranteed rate over it":      {func(s *linegate.ONUService) { s.Downstream.GIR = 150_000 }, "downstream"},
	}
	for _, backend := range []Config{{Address: "127.0.0.1:1"}, {Backend: BackendController, Address: "http://127.0.0.1:1"}} {
		client, err := Open(backend)
		require.NoError(t, err)
		for name, c := range cases {
			t.Run(string(backend.Backend)+" "+name, func(t *testing.T) {
				service := double("s1", serial, 900)
				c.change(&service)
				_, err := client.Provision(t.Context(), service)
				require.ErrorIs(t, err, linegate.ErrRefused)
				assert.ErrorContains(t, err, c.says)
				var fields linegate.FieldErrors
				assert.ErrorAs(t, err, &fields)
				_, err = client.Verify(t.Context(), service)
				assert.ErrorIs(t, err, linegate.ErrRefused)
				assert.ErrorIs(t, client.Remove(t.Context(), service), linegate.ErrRefused)
				_, err = client.Change(t.Context(), service, service)
				assert.ErrorIs(t, err, linegate.ErrRefused)
				_, err = client.Describe(service)
				assert.ErrorIs(t, err, linegate.ErrRefused)
			})
		}
		assert.NoError(t, client.Close())
	}
}

func TestTheDryRunNamesMetersAndFlows(t *testing.T) {
	l := newLab(t)
	lines, err := l.client.Describe(double("s1", serial, 900))
	require.NoError(t, err)
	assert.Equal(t, []string{
		"meter upstream 50000 kbit/s burst 1000 kbit + 100000 kbit/s burst 2000 kbit",
		"meter downstream 100000 kbit/s burst 2000 kbit + 200000 kbit/s burst 4000 kbit",
		"flow table 0: from BBSM00000001-1 vlan 35 -> set vlan 900, table 1",
		"flow table 1: from BBSM00000001-1 vlan 900 -> push vlan 0x8100, set vlan 800, to uplink",
		"flow table 0: from uplink metadata 900 vlan 800 -> pop vlan, table 1",
		"flow table 1: from uplink metadata BBSM00000001-1 vlan 900 -> set vlan 35, to BBSM00000001-1",
	}, lines)
	transparent := linegate.ONUService{ID: "s1", Serial: serial, UNI: 1, ServiceVLAN: 600, Transparent: true}
	lines, err = l.client.Describe(transparent)
	require.NoError(t, err)
	assert.Contains(t, lines[2], "from BBSM00000001-1 any vlan")
	assert.Empty(t, l.Calls())
}

func TestErrorsOfTheCoreAreSorted(t *testing.T) {
	cases := []struct {
		code    codes.Code
		message string
		read    error
		write   error
	}{
		{codes.NotFound, "device-1", linegate.ErrTryAgain, linegate.ErrTryAgain},
		{codes.Unavailable, "adapter(s)-not-ready", linegate.ErrTryAgain, linegate.ErrTryAgain},
		{codes.Unavailable, "adapter-connection-down-for-1", linegate.ErrTryAgain, linegate.ErrTryAgain},
		{codes.Unavailable, "error reading from server: EOF", linegate.ErrTryAgain, linegate.ErrOutcomeUnknown},
		{codes.Unavailable, "dial tcp: connect: connection refused", linegate.ErrTryAgain, linegate.ErrTryAgain},
		{codes.DeadlineExceeded, "", linegate.ErrTryAgain, linegate.ErrOutcomeUnknown},
		{codes.Canceled, "", linegate.ErrTryAgain, linegate.ErrOutcomeUnknown},
		{codes.FailedPrecondition, "invalid-admin-state", linegate.ErrTryAgain, linegate.ErrRefused},
		{codes.Unknown, "no downstream route from:9999 to:0 :no route", linegate.ErrTryAgain, linegate.ErrTryAgain},
		{codes.Unknown, "flowModify not implemented", linegate.ErrTryAgain, linegate.ErrRefused},
		{codes.Aborted, "failed deleting flows", linegate.ErrTryAgain, linegate.ErrTryAgain},
		{codes.Unimplemented, "unknown service", linegate.ErrRefused, linegate.ErrRefused},
		{codes.PermissionDenied, "", linegate.ErrRefused, linegate.ErrRefused},
	}
	for _, c := range cases {
		err := status.Error(c.code, c.message)
		assert.Equal(t, c.read, readError(err), "reading: %v", err)
		assert.Equal(t, c.write, writeError(err), "writing: %v", err)
	}
}

func TestOpenRefusesAnUnknownBackend(t *testing.T) {
	_, err := Open(Config{Backend: "onos"})
	assert.ErrorContains(t, err, `"onos" is not allowed: core or vgc`)
	_, err = Open(Config{Backend: BackendController, Address: "localhost:8181"})
	assert.ErrorContains(t, err, "http or https URL")
	client, err := Open(Config{Address: "localhost:1", TLS: true})
	require.NoError(t, err)
	assert.NoError(t, client.Close())
}

func TestTheUplinkIsALivePortAndElseTheLowest(t *testing.T) {
	port := func(number, state uint32, root bool) *pb.LogicalPort {
		return &pb.LogicalPort{RootPort: root, OfpPort: &pb.OfpPort{PortNo: number, State: state}}
	}
	cases := map[string]struct {
		ports []*pb.LogicalPort
		want  uint32
	}{
		"the lowest":                 {[]*pb.LogicalPort{port(9, 4, true), port(8, 4, true)}, 8},
		"the live one":               {[]*pb.LogicalPort{port(8, 1, true), port(9, 4, true)}, 9},
		"none is live":               {[]*pb.LogicalPort{port(9, 1, true), port(8, 1, true)}, 8},
		"a subscriber's port is not": {[]*pb.LogicalPort{port(1, 4, false), port(9, 1, true)}, 9},
	}
	for name, c := range cases {
		got, there := uplink(c.ports)
		assert.True(t, there, name)
		assert.Equal(t, c.want, got, name)
	}
	_, there := uplink(nil)
	assert.False(t, there)
}
