package genieacs

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"linegate"
	"linegate/provisioning/genieacs/genieacstest"
	"linegate/provisioning/peertest"
)

func TestTheContractOfSettingsOnACPE(t *testing.T) {
	client, device := target(t)
	wanted := linegate.CPESettings{ServiceID: "contract-1", Device: device}
	plan, err := client.Plan(t.Context(), wanted)
	require.NoError(t, err)
	require.NotEmpty(t, plan.Writes)
	for range 2 {
		result, err := client.Apply(t.Context(), wanted)
		require.NoError(t, err)
		assert.Contains(t, []linegate.CPEState{linegate.CPEApplied, linegate.CPEWaiting}, result.State)
		assert.Equal(t, plan.Device, result.Device)
	}
	_, err = client.Await(t.Context(), wanted)
	require.NoError(t, err)
	for range 2 {
		_, err = client.Remove(t.Context(), wanted)
		require.NoError(t, err)
	}
}

func TestADeviceIsFoundByItsIDAndByEveryFormOfItsSerial(t *testing.T) {
	cases := map[string]string{
		tr098:              tr098,
		"48575443AABBCC01": tr098,
		"48575443aabbcc01": tr098,
		"HWTCAABBCC01":     tr098,
		"hwtcaabbcc01":     tr098,
		"XR500-0001":       tr181,
		tr181:              tr181,
	}
	l := newLab(t)
	for name, id := range cases {
		t.Run(name, func(t *testing.T) {
			plan, err := l.client.Plan(t.Context(), linegate.CPESettings{ServiceID: "s1", Device: name})
			require.NoError(t, err)
			assert.Equal(t, id, plan.Device)
		})
	}
}

func TestADeviceWithASerialInLettersIsFoundOnce(t *testing.T) {
	l := newLab(t)
	l.SetSerial(tr181, "BBSM00000001")
	for _, name := range []string{"BBSM00000001", "4242534D00000001"} {
		plan, err := l.client.Plan(t.Context(), linegate.CPESettings{ServiceID: "s1", Device: name})
		require.NoError(t, err)
		assert.Equal(t, tr181, plan.Device)
	}
}

func TestADeviceThatIsNotKnownIsSaidSo(t *testing.T) {
	l := newLab(t)
	unknown := linegate.CPESettings{ServiceID: "s1", Device: "NOBODY"}
	_, err := l.client.Plan(t.Context(), unknown)
	require.ErrorIs(t, err, linegate.ErrNotFound)
	_, err = l.client.Apply(t.Context(), unknown)
	require.ErrorIs(t, err, linegate.ErrNotFound)
	_, err = l.client.Await(t.Context(), unknown)
	require.ErrorIs(t, err, linegate.ErrNotFound)
	result, err := l.client.Remove(t.Context(), unknown)
	require.NoError(t, err)
	assert.Equal(t, linegate.CPEApplied, result.State)
}

func TestTwoDevicesOfOneSerialAreNotToldApartByGuessing(t *testing.T) {
	l := newLab(t)
	l.SetSerial(tr181, "48575443AABBCC01")
	_, err := l.client.Plan(t.Context(), tagged(300))
	require.ErrorIs(t, err, linegate.ErrRefused)
	assert.ErrorContains(t, err, "have this serial")
	byID := tagged(300)
	byID.Device = tr098
	_, err = l.client.Plan(t.Context(), byID)
	assert.NoError(t, err)
}

func TestValuesAreSetAndReadBack(t *testing.T) {
	l := newLab(t)
	result := l.apply(t, tagged(300), linegate.CPEApplied)
	assert.Equal(t, tr098, result.Device)
	assert.EqualValues(t, 300, l.Value(tr098, wan+".X_HW_VLAN"))
	assert.Empty(t, l.Pending())
	l.apply(t, tagged(300), linegate.CPEApplied)
}

func TestAValueThatOnlyTheServerBelievesInIsSetAllTheSame(t *testing.T) {
	l := newLab(t)
	l.apply(t, tagged(300), linegate.CPEApplied)
	l.Change(tr098, wan+".X_HW_VLAN", func(p *genieacstest.Parameter) { p.Value = float64(999) })
	l.apply(t, tagged(300), linegate.CPEApplied)
	assert.EqualValues(t, 300, l.Value(tr098, wan+".X_HW_VLAN"))
}

func TestWhatA200HidesIsFound(t *testing.T) {
	cases := map[string]struct {
		change func(*genieacstest.Parameter)
		kind   error
		says   string
	}{
		"the device has no such parameter":              {nil, linegate.ErrUnsupported, "the device has no " + wan + ".X_HW_VLAN"},
		"the parameter is read-only":                    {func(p *genieacstest.Parameter) { p.Writable = false }, linegate.ErrUnsupported, "read-only on the device"},
		"the device says yes and keeps the old":         {func(p *genieacstest.Parameter) { p.Ignores = true }, linegate.ErrRefused, `X_HW_VLAN is "200" instead of "300"`},
		"the device has it and it is right, though r/o": {func(p *genieacstest.Parameter) { p.Writable, p.Value = false, float64(300) }, nil, ""},
		"the parameter is a word in this firmware":      {func(p *genieacstest.Parameter) { p.Type, p.Value = "xsd:string", "200" }, nil, ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			l.Change(tr098, wan+".X_HW_VLAN", c.change)
			_, err := l.client.Apply(t.Context(), tagged(300))
			if c.kind == nil {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, c.kind)
			assert.ErrorContains(t, err, c.says)
			assert.ErrorContains(t, err, "cpe HWTCAABBCC01")
			assert.Equal(t, "DHCP", l.Value(tr098, wan+".AddressingType"), "what was set of it is taken back")
			assert.Empty(t, l.Pending())
		})
	}
}

func TestAFaultNamesTheParameterAndLeavesNoTaskThatComesBack(t *testing.T) {
	l := newLab(t, models(t, `
rules:
  - name: shifted
    match: {root: InternetGatewayDevice}
    settings:
      - {set: vlan.id, path: "`+wan+`.X_HW_VLAN", type: unsignedInt, value: "4999"}
`))
	_, err := l.client.Apply(t.Context(), tagged(300))
	require.ErrorIs(t, err, linegate.ErrRefused)
	assert.ErrorContains(t, err, "cwmp.9003 Invalid arguments; "+wan+".X_HW_VLAN: 9007 Invalid parameter value")
	assert.Empty(t, l.Pending())
	assert.Zero(t, l.Failed())
}

func TestATroubleThatMayPassIsTriedAgainLater(t *testing.T) {
	cases := map[string]struct {
		prepare func(*lab)
		kind    error
	}{
		"an internal error of the device": {func(l *lab) { l.FailSets(tr098, 1) }, linegate.ErrTryAgain},
		"a session that was dropped":      {func(l *lab) { l.DropSessions(tr098, 1) }, linegate.ErrOutcomeUnknown},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			c.prepare(l)
			_, err := l.client.Apply(t.Context(), tagged(300))
			require.ErrorIs(t, err, c.kind)
			assert.Empty(t, l.Pending())
			assert.Zero(t, l.Failed())
			l.apply(t, tagged(300), linegate.CPEApplied)
		})
	}
}

func TestAnOlderFailureNeverPutsItsValueBack(t *testing.T) {
	l := newLab(t)
	l.FailSets(tr098, 1)
	body := fmt.Sprintf(`{"name":"setParameterValues","parameterValues":[["%s.X_HW_VLAN",601,"xsd:unsignedInt"]]}`, wan)
	response, err := http.Post(l.URL()+"/devices/"+tr098+"/tasks?connection_request", "application/json", strings.NewReader(body))
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, 1, l.Failed(), "somebody else's set failed")

	l.apply(t, tagged(602), linegate.CPEApplied)
	l.RetryFaults(tr098)
	assert.EqualValues(t, 602, l.Value(tr098, wan+".X_HW_VLAN"))
}

func TestAFaultOfAnotherMatterIsLeftAlone(t *testing.T) {
	l := newLab(t)
	l.FailSets(tr098, 1)
	body := fmt.Sprintf(`{"name":"setParameterValues","parameterValues":[["%s.Name","x","xsd:string"]]}`, wan)
	response, err := http.Post(l.URL()+"/devices/"+tr098+"/tasks?connection_request", "application/json", strings.NewReader(body))
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	l.apply(t, tagged(602), linegate.CPEApplied)
	assert.Equal(t, 1, l.Failed())
}

func TestSettingsWaitForADeviceThatCanNotBeReached(t *testing.T) {
	for _, why := range []string{genieacstest.OfflineRefused, genieacstest.OfflineNoSession, genieacstest.OfflineLogin} {
		t.Run(why, func(t *testing.T) {
			l := newLab(t)
			l.SetOffline(tr098, why)
			result := l.apply(t, tagged(300), linegate.CPEWaiting)
			assert.Contains(t, result.Detail, why)
			assert.Equal(t, []string{"linegate/s1/0"}, l.Pending())

			result, err := l.client.Await(t.Context(), tagged(300))
			require.NoError(t, err)
			assert.Equal(t, linegate.CPEWaiting, result.State)
			l.apply(t, tagged(301), linegate.CPEWaiting)
			assert.Len(t, l.Pending(), 1, "a second call does not add a second task")

			l.Inform(tr098)
			result, err = l.client.Await(t.Context(), tagged(301))
			require.NoError(t, err)
			assert.Equal(t, linegate.CPEWaiting, result.State, "set, but nobody could ask yet")
			l.SetOffline(tr098, genieacstest.Online)
			result, err = l.client.Await(t.Context(), tagged(301))
			require.NoError(t, err)
			assert.Equal(t, linegate.CPEApplied, result.State)
			assert.EqualValues(t, 301, l.Value(tr098, wan+".X_HW_VLAN"))
			assert.Empty(t, l.Pending())
		})
	}
}

func TestAwaitCallsTheDeviceThatIsBack(t *testing.T) {
	l := newLab(t)
	l.SetOffline(tr098, genieacstest.OfflineRefused)
	l.apply(t, tagged(300), linegate.CPEWaiting)
	l.SetOffline(tr098, genieacstest.Online)
	result, err := l.client.Await(t.Context(), tagged(300))
	require.NoError(t, err)
	assert.Equal(t, linegate.CPEWaiting, result.State)
	result, err = l.client.Await(t.Context(), tagged(300))
	require.NoError(t, err)
	assert.Equal(t, linegate.CPEApplied, result.State)
}

func TestAwaitTellsAFaultThatCameInTheMeantime(t *testing.T) {
	l := newLab(t)
	l.SetOffline(tr098, genieacstest.OfflineRefused)
	l.apply(t, tagged(300), linegate.CPEWaiting)
	l.FailSets(tr098, 1)
	l.Inform(tr098)
	_, err := l.client.Await(t.Context(), tagged(300))
	require.ErrorIs(t, err, linegate.ErrTryAgain)
	assert.ErrorContains(t, err, "cwmp.9002")
	assert.Zero(t, l.Failed())
}

func TestWhatWaitsExpires(t *testing.T) {
	l := newLab(t, func(c *Config) { c.Expiry = time.Hour })
	l.SetOffline(tr098, genieacstest.OfflineRefused)
	l.apply(t, tagged(300), linegate.CPEWaiting)
	l.Advance(2 * time.Hour)
	l.SetOffline(tr098, genieacstest.Online)
	l.Inform(tr098)
	assert.Empty(t, l.Pending())
	_, err := l.client.Await(t.Context(), tagged(300))
	require.ErrorIs(t, err, linegate.ErrRefused)
	assert.ErrorContains(t, err, `X_HW_VLAN is "200" instead of "300"`)
}

func TestRemovePutsTheUnprovisionedStateAndTakesBackWhatWaits(t *testing.T) {
	l := newLab(t)
	l.apply(t, tagged(300), linegate.CPEApplied)
	result, err := l.client.Remove(t.Context(), tagged(300))
	require.NoError(t, err)
	assert.Equal(t, linegate.CPEApplied, result.State)
	assert.EqualValues(t, 0, l.Value(tr098, wan+".X_HW_VLAN"))
	assert.Equal(t, "DHCP", l.Value(tr098, wan+".AddressingType"))

	l.SetOffline(tr098, genieacstest.OfflineRefused)
	l.apply(t, tagged(300), linegate.CPEWaiting)
	result, err = l.client.Remove(t.Context(), tagged(300))
	require.NoError(t, err)
	assert.Equal(t, linegate.CPEWaiting, result.State)
	l.SetOffline(tr098, genieacstest.Online)
	l.Inform(tr098)
	assert.EqualValues(t, 0, l.Value(tr098, wan+".X_HW_VLAN"), "the set that waited is not sent any more")
}

func TestADeletionIsRepeatedWhileTheDeviceIsInASession(t *testing.T) {
	l := newLab(t)
	l.SetOffline(tr098, genieacstest.OfflineRefused)
	l.apply(t, tagged(300), linegate.CPEWaiting)
	l.SetOffline(tr098, genieacstest.Online)
	l.Busy(3)
	l.apply(t, tagged(301), linegate.CPEApplied)
	assert.Equal(t, 6*time.Second, l.paused)

	l.SetOffline(tr098, genieacstest.OfflineRefused)
	l.apply(t, tagged(300), linegate.CPEWaiting)
	l.Busy(9)
	_, err := l.client.Apply(t.Context(), tagged(301))
	require.ErrorIs(t, err, linegate.ErrTryAgain)
	assert.ErrorContains(t, err, "in a session")
}

func TestTheConnectionThatADeviceIsManagedThroughIsNotTouched(t *testing.T) {
	l := newLab(t)
	l.Change(tr098, wan+".ExternalIPAddress", func(p *genieacstest.Parameter) { p.Value = "127.0.0.1" })
	l.Inform(tr098)
	_, err := l.client.Plan(t.Context(), tagged(300))
	require.ErrorIs(t, err, linegate.ErrRefused)
	assert.ErrorContains(t, err, "127.0.0.1 is the address that the device is managed at")
	_, err = l.client.Apply(t.Context(), tagged(300))
	require.ErrorIs(t, err, linegate.ErrRefused)
	assert.EqualValues(t, 200, l.Value(tr098, wan+".X_HW_VLAN"))
}

func TestEverySettingOfAServiceReachesADevice(t *testing.T) {
	l := newLab(t)
	l.apply(t, full(tr181), linegate.CPEApplied)
	static := "Device.IP.Interface.1.IPv4Address.[IPAddress:192.0.2.7]"
	route := "Device.Routing.Router.1.IPv4Forwarding.[GatewayIPAddress:192.0.2.1]"
	for path, want := range map[string]any{
		"Device.Ethernet.VLANTermination.1.VLANID":              float64(835),
		"Device.Ethernet.VLANTermination.1.Enable":              true,
		"Device.DHCPv4.Client.1.Enable":                         false,
		static + ".SubnetMask":                                  "255.255.255.0",
		static + ".Enable":                                      true,
		route + ".Enable":                                       true,
		"Device.DNS.Client.Server.1.DNSServer":                  "192.0.2.53,198.51.100.53",
		"Device.IP.Interface.1.IPv6Enable":                      true,
		"Device.DHCPv6.Client.1.RequestAddresses":               true,
		"Device.DHCPv6.Client.1.RequestPrefixes":                true,
		"Device.NeighborDiscovery.InterfaceSetting.1.RSEnable":  true,
		"Device.IP.Interface.1.IPv4Address.1.IPAddress":         "100.64.1.2",
		"Device.Routing.Router.1.IPv4Forwarding.1.Enable":       nil,
		"Device.IP.Interface.1.IPv4Address.3.IPAddress":         nil,
		"Device.Routing.Router.1.IPv4Forwarding.2.Interface":    "Device.IP.Interface.1",
		"Device.IP.Interface.1.IPv4Address.2.IPAddress":         "192.0.2.7",
		"Device.PPP.Interface.1.Enable":                         false,
		"Device.Routing.Router.1.IPv4Forwarding.3.Enable":       nil,
		"Device.Ethernet.VLANTermination.2.VLANID":              nil,
		"Device.DHCPv6.Client.1.Enable":                         true,
		"Device.Ethernet.VLANTermination.1.LowerLayers":         "Device.Ethernet.Link.1",
		"Device.Routing.Router.1.IPv4Forwarding.1.SubnetMask":   nil,
		"Device.IP.Interface.1.IPv4Address.1.Enable":            nil,
		"Device.Routing.Router.1.IPv4Forwarding.1.LowerLayers":  nil,
		"Device.DeviceInfo.ModelName":                           "XR500",
		"Device.IP.Interface.1.IPv4Address.2.Enable":            true,
		"Device.Routing.Router.1.IPv4Forwarding.2.Enable":       true,
		"Device.ManagementServer.ConnectionRequestURL":          "http://127.0.0.1:9602/cr",
		"Device.Routing.Router.1.IPv4Forwarding.2.ForwardingUp": nil,
	} {
		assert.Equal(t, want, l.Value(tr181, path), path)
	}
	l.apply(t, full(tr181), linegate.CPEApplied)
	assert.Nil(t, l.Value(tr181, "Device.IP.Interface.1.IPv4Address.3.IPAddress"), "a second call adds no second instance")
}

func TestEachIPv6ModeIsSaidInTheModelsWords(t *testing.T) {
	type flags struct{ enable, addresses, prefixes, solicits, client bool }
	cases := map[linegate.IPv6AssignmentMode]flags{
		linegate.IPv6None:      {},
		linegate.IPv6SLAAC:     {enable: true, solicits: true},
		linegate.IPv6Stateful:  {enable: true, addresses: true, client: true},
		linegate.IPv6PD:        {enable: true, prefixes: true, client: true},
		linegate.IPv6DualStack: {enable: true, addresses: true, prefixes: true, solicits: true, client: true},
	}
	for mode, want := range cases {
		t.Run(string(mode), func(t *testing.T) {
			l := newLab(t)
			l.apply(t, linegate.CPESettings{ServiceID: "s1", Device: tr181, IPv6Mode: mode}, linegate.CPEApplied)
			is := func(path string) bool { return l.Value(tr181, "Device."+path) == true }
			assert.Equal(t, want, flags{
				is("IP.Interface.1.IPv6Enable"), is("DHCPv6.Client.1.RequestAddresses"), is("DHCPv6.Client.1.RequestPrefixes"),
				is("NeighborDiscovery.InterfaceSetting.1.RSEnable"), is("DHCPv6.Client.1.Enable"),
			})
		})
	}
}

func TestAPPPPasswordIsSentAndNeitherShownNorCompared(t *testing.T) {
	l := newLab(t)
	wanted := linegate.CPESettings{ServiceID: "s1", Device: tr181, PPPUsername: "alice", PPPPassword: "open sesame"}
	plan, err := l.client.Plan(t.Context(), wanted)
	require.NoError(t, err)
	assert.Contains(t, plan.Writes, linegate.CPEWrite{Path: "Device.PPP.Interface.1.Password", Value: "*****", Type: "xsd:string"})
	assert.NotContains(t, fmt.Sprint(plan), "sesame")
	l.apply(t, wanted, linegate.CPEApplied)
	assert.Equal(t, "open sesame", l.Value(tr181, "Device.PPP.Interface.1.Password"))
	assert.Equal(t, true, l.Value(tr181, "Device.PPP.Interface.1.Enable"))
	assert.NotContains(t, l.log.String(), "sesame")
}

func TestWhatAModelHasNoPathForRefusesThePlan(t *testing.T) {
	two := linegate.CPESettings{ServiceID: "s1", Device: tr181, QinQ: true, ServiceVLAN: 800, InnerVLAN: 900}
	cases := map[string]struct {
		wanted linegate.CPESettings
		rules  string
		says   string
	}{
		"two tags": {two, "", "model generic-tr181 can't do two tags (802.1ad) by TR-069"},
		"a tag": {tagged(300), "rules: [{name: bare, match: {}, settings: []}]",
			"model bare can't do a WAN VLAN"},
		"delegation": {linegate.CPESettings{ServiceID: "s1", Device: tr181, IPv6Mode: linegate.IPv6PD},
			"rules: [{name: bare, match: {}, settings: [{set: ipv6.enable, path: Device.X, type: boolean}]}]", "can't do IPv6 by pd"},
		"a fixed address": {full(tr181),
			"rules: [{name: bare, match: {}, settings: []}]", "a fixed IPv4 address, an IPv4 gateway"},
		"PPP": {linegate.CPESettings{ServiceID: "s1", Device: tr181, PPPUsername: "a", PPPPassword: "b"},
			"rules: [{name: bare, match: {}, settings: []}]", "a PPP name, a PPP password"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var options []func(*Config)
			if c.rules != "" {
				options = append(options, models(t, c.rules))
			}
			l := newLab(t, options...)
			_, err := l.client.Plan(t.Context(), c.wanted)
			require.ErrorIs(t, err, linegate.ErrUnsupported)
			assert.ErrorContains(t, err, c.says)
			_, err = l.client.Apply(t.Context(), c.wanted)
			require.ErrorIs(t, err, linegate.ErrUnsupported)
		})
	}
}

func TestACPEThatCanNotStackTagsIsAWarningWhereThatIsAllowed(t *testing.T) {
	l := newLab(t)
	wanted := linegate.CPESettings{ServiceID: "s1", Device: tr181, QinQ: true, WithoutQinQ: true, ServiceVLAN: 800, InnerVLAN: 900}
	result := l.apply(t, wanted, linegate.CPEApplied)
	require.Len(t, result.Warnings, 1)
	assert.Contains(t, result.Warnings[0], "can't send two tags (802.1ad)")
	assert.EqualValues(t, 900, l.Value(tr181, "Device.Ethernet.VLANTermination.1.VLANID"), "the inner one; the line adds the outer one")
	assert.Contains(t, l.log.String(), `"event":"cpe_warning"`)
}

func TestAModelThatStacksTagsGetsBoth(t *testing.T) {
	l := newLab(t, models(t, stacked))
	wanted := linegate.CPESettings{ServiceID: "s1", Device: tr181, QinQ: true, ServiceVLAN: 800, InnerVLAN: 900, PPPUsername: ""}
	plan, err := l.client.Plan(t.Context(), wanted)
	require.NoError(t, err)
	assert.Equal(t, "stacking", plan.Model)
	result := l.apply(t, wanted, linegate.CPEApplied)
	assert.Empty(t, result.Warnings)
	assert.EqualValues(t, 900, l.Value(tr181, "Device.Ethernet.VLANTermination.1.VLANID"))
	assert.EqualValues(t, 34984, l.Value(tr181, "Device.Ethernet.VLANTermination.[VLANID:800].TPID"))
	result, err = l.client.Remove(t.Context(), wanted)
	require.NoError(t, err)
	assert.Equal(t, linegate.CPEApplied, result.State)
	assert.Equal(t, false, l.Value(tr181, "Device.Ethernet.VLANTermination.1.Enable"))
}

func TestAModelWithoutNameServersIsAWarning(t *testing.T) {
	l := newLab(t, models(t, "rules: [{name: bare, match: {}, settings: [{set: ipv4.mode, path: Device.DHCPv4.Client.1.Enable, type: boolean, values: {dhcp: 'true'}}]}]"))
	wanted := linegate.CPESettings{ServiceID: "s1", Device: tr181, DNS: []netip.Addr{netip.MustParseAddr("192.0.2.53")}}
	plan, err := l.client.Plan(t.Context(), wanted)
	require.NoError(t, err)
	assert.Equal(t, []string{"model bare has no setting for name servers"}, plan.Warnings)
}

func TestMoreValuesThanFitIntoOneMessageAreSentInTheirOrder(t *testing.T) {
	var rules strings.Builder
	rules.WriteString("rules:\n  - name: many\n    match: {root: Device}\n    settings:\n")
	for i := range 70 {
		fmt.Fprintf(&rules, "      - {set: vlan.id, path: Device.X.P%d, type: string}\n", i)
	}
	l := newLab(t, models(t, rules.String()))
	for i := range 70 {
		l.Change(tr181, fmt.Sprintf("Device.X.P%d", i), func(*genieacstest.Parameter) {})
	}
	wanted := linegate.CPESettings{ServiceID: "s1", Device: tr181, ServiceVLAN: 7}
	l.apply(t, wanted, linegate.CPEApplied)
	assert.Equal(t, "7", l.Value(tr181, "Device.X.P69"))

	wanted.ServiceVLAN = 8
	l.SetOffline(tr181, genieacstest.OfflineRefused)
	l.apply(t, wanted, linegate.CPEWaiting)
	assert.Len(t, l.Pending(), 3)
	l.Inform(tr181)
	assert.Equal(t, "8", l.Value(tr181, "Device.X.P69"))
}

func TestARefusalOfALaterPartTakesTheFirstBack(t *testing.T) {
	for name, reset := range map[string]string{"with a reset": "    reset: {vlan.id: '0'}\n", "without one": ""} {
		t.Run(name, func(t *testing.T) {
			var rules strings.Builder
			rules.WriteString("rules:\n  - name: many\n    match: {root: Device}\n" + reset + "    settings:\n")
			for i := range 33 {
				fmt.Fprintf(&rules, "      - {set: vlan.id, path: Device.X.P%d}\n", i)
			}
			l := newLab(t, models(t, rules.String()))
			for i := range 33 {
				l.Change(tr181, fmt.Sprintf("Device.X.P%d", i), func(*genieacstest.Parameter) {})
			}
			l.Inject(peertest.Fault{On: "POST", Skip: 1, Do: func() { l.FailSets(tr181, 1) }})
			_, err := l.client.Apply(t.Context(), linegate.CPESettings{ServiceID: "s1", Device: tr181, ServiceVLAN: 7})
			require.ErrorIs(t, err, linegate.ErrOutcomeUnknown, "a trouble that may pass, but the first part is set")
			assert.Equal(t, "7", l.Value(tr181, "Device.X.P0"))

			l.Change(tr181, "Device.X.P32", func(p *genieacstest.Parameter) { p.Refuses = true })
			_, err = l.client.Apply(t.Context(), linegate.CPESettings{ServiceID: "s1", Device: tr181, ServiceVLAN: 8})
			require.ErrorIs(t, err, linegate.ErrRefused)
			if reset != "" {
				assert.Equal(t, "0", l.Value(tr181, "Device.X.P0"))
			}
		})
	}
}

func TestAFaultThatCanNotBeDeletedIsAnUnknownOutcome(t *testing.T) {
	l := newLab(t)
	l.FailSets(tr098, 1)
	l.Busy(9)
	_, err := l.client.Apply(t.Context(), tagged(300))
	require.ErrorIs(t, err, linegate.ErrOutcomeUnknown)
	assert.ErrorContains(t, err, "the task stays")
	l.Busy(0)
	l.apply(t, tagged(300), linegate.CPEApplied)
	l.RetryFaults(tr098)
	assert.Zero(t, l.Failed())
}

func TestALostAnswerIsMendedByTheNextCall(t *testing.T) {
	kinds := map[string]peertest.Fault{
		"an error":             {Err: errors.New("busy")},
		"the answer is lost":   {Lost: true},
		"the connection broke": {},
	}
	for kind, fault := range kinds {
		for skip := range 7 {
			t.Run(fmt.Sprintf("%s at request %d", kind, skip+1), func(t *testing.T) {
				l := newLab(t)
				fault.Skip = skip
				l.Inject(fault)
				_, err := l.client.Apply(t.Context(), tagged(300))
				if err != nil {
					assert.True(t, errors.Is(err, linegate.ErrTryAgain) || errors.Is(err, linegate.ErrOutcomeUnknown), err)
				}
				l.apply(t, tagged(300), linegate.CPEApplied)
				assert.EqualValues(t, 300, l.Value(tr098, wan+".X_HW_VLAN"))
				assert.Empty(t, l.Pending())
			})
		}
	}
}

func TestAServerThatHangsIsGivenUp(t *testing.T) {
	l := newLab(t, func(c *Config) { c.Call = 3 * time.Second })
	l.Inject(peertest.Fault{On: "POST", Hang: true})
	_, err := l.client.Apply(t.Context(), tagged(300))
	require.ErrorIs(t, err, linegate.ErrOutcomeUnknown)
	l.apply(t, tagged(300), linegate.CPEApplied)
}

func TestAFailureWhileTakingBackIsAnUnknownOutcome(t *testing.T) {
	l := newLab(t)
	l.Change(tr098, wan+".X_HW_VLAN", func(p *genieacstest.Parameter) { p.Ignores = true })
	l.Inject(peertest.Fault{On: "POST", Skip: 2})
	_, err := l.client.Apply(t.Context(), tagged(300))
	require.ErrorIs(t, err, linegate.ErrOutcomeUnknown)
	assert.ErrorContains(t, err, "taking back")
}

func TestNothingThatIsInvalidReachesTheServer(t *testing.T) {
	cases := map[string]func(*linegate.CPESettings){
		"a pattern for a serial":             func(s *linegate.CPESettings) { s.Device = "/.*/i" },
		"a wildcard":                         func(s *linegate.CPESettings) { s.Device = "HWTC*" },
		"no device":                          func(s *linegate.CPESettings) { s.Device = "" },
		"no service":                         func(s *linegate.CPESettings) { s.ServiceID = "" },
		"a reserved tag":                     func(s *linegate.CPESettings) { s.ServiceVLAN = 4095 },
		"two tags without the inner one":     func(s *linegate.CPESettings) { s.QinQ = true },
		"two tags without the outer one":     func(s *linegate.CPESettings) { s.QinQ, s.ServiceVLAN, s.InnerVLAN = true, 0, 5 },
		"an IPv6 address for IPv4":           func(s *linegate.CPESettings) { s.IPv4 = netip.MustParsePrefix("2001:db8::1/64") },
		"a fixed address with PPP":           func(s *linegate.CPESettings) { s.IPv4, s.PPPUsername = netip.MustParsePrefix("192.0.2.7/24"), "a" },
		"an IPv6 gateway":                    func(s *linegate.CPESettings) { s.IPv4Gateway = netip.MustParseAddr("2001:db8::1") },
		"a control character in a name":      func(s *linegate.CPESettings) { s.PPPUsername = "a\x00" },
		"a password of a thousand letters":   func(s *linegate.CPESettings) { s.PPPPassword = strings.Repeat("a", 1000) },
		"a control character in a password?": func(s *linegate.CPESettings) { s.PPPPassword = "secret\n" },
	}
	for name, change := range cases {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			wanted := tagged(300)
			change(&wanted)
			_, err := l.client.Apply(t.Context(), wanted)
			require.ErrorIs(t, err, linegate.ErrRefused)
			var fields linegate.FieldErrors
			require.ErrorAs(t, err, &fields)
			assert.NotContains(t, err.Error(), "secret")
			assert.Empty(t, l.Calls())
			_, err = l.client.Remove(t.Context(), wanted)
			require.ErrorIs(t, err, linegate.ErrRefused)
		})
	}
}

func TestAModelWithoutARuleIsUnsupported(t *testing.T) {
	l := newLab(t)
	l.client.rules = nil
	_, err := l.client.Plan(t.Context(), tagged(300))
	require.ErrorIs(t, err, linegate.ErrUnsupported)
	assert.ErrorContains(t, err, `no rule for model "HG8245H" of OUI 00259E`)
}

func TestAProxyInFrontIsToldWhoAsks(t *testing.T) {
	var said []string
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		said = append(said, r.URL.Path+" "+r.Header.Get("Authorization"))
		http.Redirect(w, r, "/login", http.StatusFound)
	}))
	t.Cleanup(proxy.Close)
	for _, config := range []Config{
		{URL: proxy.URL + "/acs/", Token: "t0ken"},
		{URL: proxy.URL, Username: "linegate", Password: "pw"},
	} {
		client, err := Open(config)
		require.NoError(t, err)
		_, err = client.Plan(t.Context(), tagged(300))
		require.ErrorIs(t, err, linegate.ErrRefused, "a redirect is not followed")
	}
	assert.Equal(t, []string{"/acs/devices/ Bearer t0ken", "/devices/ Basic bGluZWdhdGU6cHc="}, said)
}

func TestAnswersThatAreNoneAreSorted(t *testing.T) {
	var code int
	var body string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(code)
		_, _ = w.Write([]byte(body))
	}))
	t.Cleanup(server.Close)
	client, err := Open(Config{URL: server.URL})
	require.NoError(t, err)
	for _, c := range []struct {
		code int
		body string
		kind error
	}{
		{200, "no json", linegate.ErrTryAgain},
		{200, `[{"x":1}]`, linegate.ErrTryAgain},
		{500, "", linegate.ErrTryAgain},
		{429, "", linegate.ErrTryAgain},
		{401, "", linegate.ErrRefused},
		{404, "", linegate.ErrNotFound},
	} {
		code, body = c.code, c.body
		_, err := client.Plan(t.Context(), tagged(300))
		require.ErrorIs(t, err, c.kind, "%d %s", c.code, c.body)
	}
	code, body = 200, `{"_id":"no id"}`
	_, err = client.nbi.post(t.Context(), tr098, task{}, time.Second)
	require.ErrorIs(t, err, linegate.ErrOutcomeUnknown)
	require.ErrorIs(t, client.nbi.deleteTask(t.Context(), "xyz"), linegate.ErrRefused, "it would end the server")
	code = 404
	require.ErrorIs(t, client.nbi.call(t.Context(), tr098), linegate.ErrNotFound)
	_, err = client.nbi.parameters(t.Context(), tr098, []string{"Device.X"})
	require.ErrorIs(t, err, linegate.ErrNotFound)
}

func TestOpenNamesWhatIsWrong(t *testing.T) {
	_, err := Open(Config{URL: "localhost:7557"})
	assert.ErrorContains(t, err, "an http or https URL")
	_, err = Open(Config{URL: "http://localhost", Models: "/does/not/exist"})
	assert.ErrorIs(t, err, os.ErrNotExist)
	nobody, err := Open(Config{URL: "http://127.0.0.1:1"})
	require.NoError(t, err)
	_, err = nobody.Plan(t.Context(), tagged(300))
	assert.ErrorIs(t, err, linegate.ErrTryAgain)
}
