package provisioning

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"linegate"
	"linegate/provisioning/netbox"
	"linegate/provisioning/voltha"
)

// Environment variables that name real systems, which tests use instead of fakes then.
const (
	realNetBox   = "LINEGATE_TEST_NETBOX_URL"      // with a token in LINEGATE_TEST_NETBOX_TOKEN
	realVOLTHA   = "LINEGATE_TEST_VOLTHA_ADDR"     // a core, with an ONU in LINEGATE_TEST_VOLTHA_SERIAL
	realGenieACS = "LINEGATE_TEST_GENIEACS_URL"    // with a CPE in LINEGATE_TEST_GENIEACS_DEVICE
	realCPE      = "LINEGATE_TEST_GENIEACS_DEVICE" // that nobody needs
)

// netBox is where addresses come from, with pools of its own.
type netBox struct {
	url            string
	token          linegate.Secret
	ipv4, prefixes netip.Prefix
}

// pooled is a NetBox with random pools that are still to be made: a real server is
// shared by all tests.
func pooled(url, token string) netBox {
	n := rand.IntN(1 << 15)
	return netBox{url, linegate.Secret(token),
		netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(n >> 8), byte(n), 0}), 25),
		netip.MustParsePrefix(fmt.Sprintf("2001:db8:%x::/48", n))}
}

// realOne returns the NetBox of the environment with its pools made, if one is named.
func realOne(t *testing.T) (n netBox, named bool) {
	t.Helper()
	url := os.Getenv(realNetBox)
	if url == "" {
		return n, false
	}
	n = pooled(url, os.Getenv("LINEGATE_TEST_NETBOX_TOKEN"))
	for _, parent := range []netip.Prefix{n.ipv4, n.prefixes} {
		body := fmt.Sprintf(`{"prefix": %q, "status": "container"}`, parent)
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, n.url+"/api/ipam/prefixes/", strings.NewReader(body))
		require.NoError(t, err)
		request.Header.Set("Authorization", "Token "+n.token.Reveal())
		request.Header.Set("Content-Type", "application/json")
		answer, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		require.Equal(t, http.StatusCreated, answer.StatusCode)
	}
	return n, true
}

func (n netBox) pools() []netbox.Pool {
	return []netbox.Pool{{Slot: linegate.SlotIPv4, Prefix: n.ipv4}, {Slot: linegate.SlotDelegatedPrefix, Prefix: n.prefixes, Length: 56}}
}

// fromEnvironment puts the clients of real systems in the place of those of fakes.
func (p *peers) fromEnvironment(t *testing.T) {
	t.Helper()
	if n, named := realOne(t); named {
		p.at.NetBox, p.at.Token, p.at.IPv4, p.at.Prefixes = n.url, n.token.Reveal(), n.ipv4, n.prefixes
	}
	if address := os.Getenv(realVOLTHA); address != "" {
		p.at.Backend, p.at.VOLTHA, p.at.RealTime = voltha.BackendCore, address, true
	}
	if url := os.Getenv(realGenieACS); url != "" {
		p.at.GenieACS = url
		require.NotEmpty(t, os.Getenv(realCPE), "%s names the device to try things on", realCPE)
	}
	connected, err := p.at.connect()
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, connected.onu.Close()) })
	p.clients = *connected
}

// A service is made, held back, resumed and taken down again, on the real systems that
// the environment names and on fakes for the others.
func TestAServiceLivesOnTheSystemsOfTheEnvironment(t *testing.T) {
	const username = "lives"
	r := newReality(t, newest)
	p := r.settle(username, unhurried)
	p.fromEnvironment(t)
	b := newBenchIn(t, onSQLite(t), r, func(o *Options) { o.Timing.Limits = nil })

	order := small(username)
	order.ONU.Serial = cmp.Or(os.Getenv("LINEGATE_TEST_VOLTHA_SERIAL"), order.ONU.Serial)
	order.CPE.Device, order.CPE.PPP, order.AllowIPv4Only = cmp.Or(os.Getenv(realCPE), order.CPE.Device), false, true
	done := b.carryOut(order)
	service := b.service(username)
	seen, err := p.onu.Verify(t.Context(), *service.Metadata.ONU)
	require.NoError(t, err)
	assert.True(t, seen.Installed, seen.Detail)
	assert.True(t, p.at.IPv4.Contains(done.Result.IPv4), "%s", done.Result.IPv4)
	assert.Len(t, p.held(t, service.ID), len(service.Metadata.Allocations))

	for i, kind := range []linegate.OrderKind{linegate.OrderSuspend, linegate.OrderResume, linegate.OrderDeprovision} {
		b.carryOut(brief(fmt.Sprint(i), kind, username))
	}
	seen, err = p.onu.Verify(t.Context(), *service.Metadata.ONU)
	require.NoError(t, err)
	assert.False(t, seen.Installed, seen.Detail)
	assert.Empty(t, p.held(t, service.ID))
}

func (b *bench) carryOut(order linegate.Order) Standing {
	b.Helper()
	id, err := b.engine.Submit(b.Context(), order)
	require.NoError(b, err)
	standing := b.settle(id)
	require.Equal(b, linegate.OrderDone, standing.State, "%+v", standing)
	return standing
}

// held are the keys of what NetBox holds for a service.
func (p *peers) held(t *testing.T, service string) (keys []string) {
	t.Helper()
	require.NoError(t, p.addresses.Managed(context.WithoutCancel(t.Context()), func(a linegate.Allocation) error {
		if strings.HasPrefix(a.Key, service+"/") {
			keys = append(keys, a.Key)
		}
		return nil
	}))
	return keys
}
