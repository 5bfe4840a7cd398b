package genieacs

import (
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"linegate"
	"linegate/provisioning/genieacs/genieacstest"
)

const (
	wan   = "InternetGatewayDevice.WANDevice.1.WANConnectionDevice.1.WANIPConnection.1"
	tr098 = genieacstest.TR098
	tr181 = genieacstest.TR181
)

// lab is a client with the fake server that it speaks to.
type lab struct {
	*genieacstest.Server
	client *Client
	log    *strings.Builder
	paused time.Duration
}

func newLab(t *testing.T, change ...func(*Config)) *lab {
	t.Helper()
	l := &lab{Server: genieacstest.Start(t), log: &strings.Builder{}}
	config := Config{URL: l.URL(), Logger: slog.New(slog.NewJSONHandler(l.log, nil)), After: func(wait time.Duration) <-chan time.Time {
		l.paused += wait
		done := make(chan time.Time)
		close(done)
		return done
	}}
	for _, set := range change {
		set(&config)
	}
	client, err := Open(config)
	require.NoError(t, err)
	l.client = client
	t.Cleanup(func() {
		assert.Empty(t, l.Crashes(), "something was sent that ends the server")
	})
	return l
}

// apply applies the settings and requires the state that comes of it.
func (l *lab) apply(t *testing.T, wanted linegate.CPESettings, state linegate.CPEState) linegate.CPEResult {
	t.Helper()
	result, err := l.client.Apply(t.Context(), wanted)
	require.NoError(t, err)
	require.Equal(t, state, result.State, result.Detail)
	return result
}

// tagged is a device with one tag and an address by DHCP.
func tagged(vlan linegate.VLAN) linegate.CPESettings {
	return linegate.CPESettings{ServiceID: "s1", Device: "HWTCAABBCC01", ServiceVLAN: vlan}
}

// full is all that a service of the plan has.
func full(device string) linegate.CPESettings {
	return linegate.CPESettings{
		ServiceID: "s1", Device: device, ServiceVLAN: 835,
		IPv4: netip.MustParsePrefix("192.0.2.7/24"), IPv4Gateway: netip.MustParseAddr("192.0.2.1"),
		DNS:      []netip.Addr{netip.MustParseAddr("192.0.2.53"), netip.MustParseAddr("198.51.100.53")},
		IPv6Mode: linegate.IPv6DualStack, DelegatedIPv6Prefix: netip.MustParsePrefix("2001:db8:100::/56"),
	}
}

// models writes a file of rules and returns the option that names its folder.
func models(t *testing.T, content string) func(*Config) {
	t.Helper()
	folder := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(folder, "own.yaml"), []byte(content), 0o600))
	return func(c *Config) { c.Models = folder }
}

// stacked is a rule with two tags, on instances that the model has.
const stacked = `
rules:
  - name: stacking
    match: {root: Device, oui: ["00aabb"], product_class: "XR 500/.*", model: XR500, software: "2\\..*"}
    vars: {inner: Device.Ethernet.VLANTermination.1}
    settings:
      - {set: vlan.outer, path: "Device.Ethernet.VLANTermination.[VLANID:{vlan.outer}].TPID", type: unsignedInt, value: "34984",
         ensure: "Device.Ethernet.VLANTermination.[VLANID:{vlan.outer}]"}
      - {set: vlan.inner, path: "{inner}.VLANID", type: unsignedInt}
      - {set: vlan.enable, path: "{inner}.Enable", type: boolean}
    reset: {vlan.enable: "false"}
`

// target is the server that the contract is tried on: a fake, or the real one at
// LINEGATE_TEST_GENIEACS_URL with the device of LINEGATE_TEST_GENIEACS_DEVICE.
func target(t *testing.T) (*Client, string) {
	t.Helper()
	address, device := os.Getenv("LINEGATE_TEST_GENIEACS_URL"), os.Getenv("LINEGATE_TEST_GENIEACS_DEVICE")
	if address == "" {
		address, device = genieacstest.Start(t).URL(), tr098
	}
	require.NotEmpty(t, device, "LINEGATE_TEST_GENIEACS_DEVICE names the device to try things on")
	client, err := Open(Config{URL: address})
	require.NoError(t, err)
	return client, device
}
