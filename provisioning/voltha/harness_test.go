package voltha

import (
	"context"
	"log/slog"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"linegate"
	"linegate/provisioning/voltha/volthatest"
)

// clock is a time that passes only when somebody waits.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) After(wait time.Duration) <-chan time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(wait)
	done := make(chan time.Time, 1)
	done <- c.now
	return done
}

// lab is a client with the fake core that it speaks to.
type lab struct {
	*volthatest.Core
	client Client
	clock  *clock
	log    *strings.Builder
}

func newLab(t *testing.T, change ...func(*Config)) *lab {
	t.Helper()
	l := &lab{clock: newClock(), log: &strings.Builder{}}
	l.Core = volthatest.StartCore(t, l.clock.Now)
	config := Config{
		Address: l.Address(), Now: l.clock.Now, After: l.clock.After,
		Logger: slog.New(slog.NewJSONHandler(l.log, nil)),
	}
	for _, set := range change {
		set(&config)
	}
	client, err := Open(config)
	require.NoError(t, err)
	l.client = client
	t.Cleanup(func() {
		assert.NoError(t, client.Close())
		assert.Empty(t, l.Crashes(), "something was sent that brings VOLTHA down")
	})
	return l
}

// provision makes the service and requires that it went well.
func (l *lab) provision(t *testing.T, service linegate.ONUService) {
	t.Helper()
	result, err := l.client.Provision(t.Context(), service)
	require.NoError(t, err)
	require.True(t, result.Installed, result.Detail)
}

// double is a service with two tags.
func double(id, serial string, inner linegate.VLAN) linegate.ONUService {
	return linegate.ONUService{
		ID: id, Serial: serial, UNI: 1, QinQ: true, CustomerVLAN: 35, InnerVLAN: inner, ServiceVLAN: 800,
		Upstream:            linegate.Bandwidth{PIR: 100_000, CIR: 50_000},
		Downstream:          linegate.Bandwidth{PIR: 200_000, CIR: 100_000},
		StaticIPv4:          netip.MustParseAddr("192.0.2.7"),
		IPv6Mode:            linegate.IPv6PD,
		DelegatedIPv6Prefix: netip.MustParsePrefix("2001:db8:100::/56"),
	}
}

// target is the core that the contract is tried on: a fake, or the real one at
// LINEGATE_TEST_VOLTHA_ADDR, on the ONU of LINEGATE_TEST_VOLTHA_SERIAL.
func target(t *testing.T) (Client, string) {
	t.Helper()
	config := Config{Poll: 20 * time.Millisecond, Settle: 300 * time.Millisecond}
	serial := "BBSM00000001"
	if address := os.Getenv("LINEGATE_TEST_VOLTHA_ADDR"); address != "" {
		config = Config{Address: address}
		if named := os.Getenv("LINEGATE_TEST_VOLTHA_SERIAL"); named != "" {
			serial = named
		}
	} else {
		config.Address = volthatest.StartCore(t, nil).Address()
	}
	client, err := Open(config)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, client.Close()) })
	return client, serial
}

// within returns a context that ends by itself.
func within(t *testing.T, wait time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), wait)
	t.Cleanup(cancel)
	return ctx
}
