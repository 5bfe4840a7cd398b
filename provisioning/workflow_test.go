package provisioning

import (
	"context"
	cryptorand "crypto/rand"
	"encoding/base64"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"linegate"
	"linegate/provisioning/netbox"
	"linegate/provisioning/netbox/netboxtest"
	"linegate/store"
)

func TestAnOrderSetsUpEverything(t *testing.T) {
	b := newBench(t, nil)
	standing := b.run(full("1", "alice"))
	require.Equal(t, linegate.OrderDone, standing.State, "%+v", standing)

	subscriber := b.subscriber("alice")
	require.NotNil(t, subscriber)
	assert.Equal(t, linegate.StatusActive, subscriber.Status)
	assert.Equal(t, standing.Result.IPv4, subscriber.Profile.StaticIPv4)
	assert.Equal(t, linegate.IPv6DualStack, subscriber.Profile.IPv6Mode)
	assert.Equal(t, 56, subscriber.Profile.DelegatedIPv6Prefix.Bits())
	assert.Equal(t, linegate.VLAN(100), subscriber.Profile.ServiceVLAN)
	assert.Equal(t, linegate.SourceDynamic, standing.Result.Source)
	service := b.service("alice")
	assert.Equal(t, linegate.ServiceActive, service.State)
	assert.Empty(t, service.Metadata.CPE.PPPPassword)
	assert.Equal(t, "secret-alice", b.world.cpes["cpe-alice"].PPPPassword)
	assert.Equal(t, uint32(100000), b.world.onus[service.ID].Downstream.PIR)
	assert.Len(t, b.world.allocations, 4)
}

func TestAnOrderIsTakenOnce(t *testing.T) {
	b := newBench(t, nil)
	require.Equal(t, linegate.OrderDone, b.run(full("1", "alice")).State)
	require.Equal(t, linegate.OrderDone, b.run(full("1", "alice")).State)
	assert.Len(t, b.world.allocations, 4)
	other := full("1", "bob")
	_, err := b.engine.Submit(t.Context(), other)
	require.ErrorIs(t, err, linegate.ErrConflict)
	again := b.run(full("2", "alice"))
	assert.Equal(t, linegate.OrderUndone, again.State)
	assert.Contains(t, again.Result.Error, "change or deprovision it")
}

func TestASubscriberHasOneOrderAtATime(t *testing.T) {
	b := newBench(t, nil)
	b.world.offline["cpe-alice"] = 1 << 30
	first, err := b.engine.Submit(t.Context(), full("1", "alice"))
	require.NoError(t, err)
	require.Eventually(t, func() bool { return b.subscriber("alice") != nil }, time.Minute, time.Millisecond)
	second := b.run(brief("2", linegate.OrderSuspend, "alice"))
	assert.Equal(t, linegate.OrderUndone, second.State)
	assert.Contains(t, second.Result.Error, "order acme/1 is under way")

	require.NoError(t, b.engine.Cancel(t.Context(), first))
	ended := b.settle(first)
	assert.Equal(t, linegate.OrderUndone, ended.State)
	assert.Contains(t, ended.Result.Error, "cancelled")
	assert.Nil(t, b.subscriber("alice"))
	assert.Empty(t, b.world.allocations)
	require.ErrorIs(t, b.engine.Cancel(t.Context(), first), linegate.ErrNotFound)
}

// failing refuses or loses calls of one method until it is mended.
func failing(method string, broken *atomic.Bool, err error) func(*Options) {
	return func(o *Options) {
		inner := o.ONU.(onuPort).handle
		o.ONU = onuPort{func(ctx context.Context, called string, a asked) (told, error) {
			if called == method && broken.Load() {
				return told{}, err
			}
			return inner(ctx, called, a)
		}}
		o.Timing.Patience = time.Hour // nothing is tried again by itself
	}
}

func TestAStepThatCanNotBeDoneWaitsForADecision(t *testing.T) {
	var broken atomic.Bool
	b := newBench(t, failing("onu provision", &broken, fmt.Errorf("voltha: no answer: %w", linegate.ErrTryAgain)))
	broken.Store(true)
	standing := b.run(full("1", "alice"))
	require.Equal(t, linegate.OrderStuck, standing.State)
	assert.Equal(t, "onu: provision: voltha: no answer: try again later", standing.Stuck)
	shown, err := b.engine.Show(t.Context(), standing.ID)
	require.NoError(t, err)
	last := shown.Steps[len(shown.Steps)-1]
	assert.Equal(t, "onu: provision", last.Name)
	assert.Equal(t, "voltha: no answer: try again later", last.Error)
	assert.NotContains(t, fmt.Sprint(shown), "secret-alice")

	broken.Store(false)
	require.NoError(t, b.engine.Retry(t.Context(), standing.ID))
	b.awaitState(standing.ID, linegate.OrderDone)
	require.ErrorIs(t, b.engine.Retry(t.Context(), standing.ID), linegate.ErrConflict)
	listed, err := b.engine.List(t.Context(), tenant, 10)
	require.NoError(t, err)
	require.Len(t, listed, 1)
	assert.Equal(t, linegate.OrderDone, listed[0].State)
}

func TestAStuckOrderCanBeCancelled(t *testing.T) {
	var broken atomic.Bool
	b := newBench(t, failing("onu provision", &broken, fmt.Errorf("voltha: no answer: %w", linegate.ErrTryAgain)))
	broken.Store(true)
	standing := b.run(full("1", "alice"))
	require.Equal(t, linegate.OrderStuck, standing.State)
	require.NoError(t, b.engine.Cancel(t.Context(), standing.ID))
	b.awaitState(standing.ID, linegate.OrderUndone)
	assert.Nil(t, b.subscriber("alice"))
	assert.Empty(t, b.world.allocations)
}

func TestWhatIsGivenUpIsTold(t *testing.T) {
	var broken atomic.Bool
	b := newBench(t, failing("onu remove", &broken, fmt.Errorf("voltha: no answer: %w", linegate.ErrTryAgain)))
	b.world.offline["cpe-alice"] = 1 << 30
	broken.Store(true)
	order := full("1", "alice")
	order.CPE.Expiry = time.Millisecond
	standing := b.run(order)
	require.Equal(t, linegate.OrderStuck, standing.State)
	assert.Contains(t, standing.Stuck, "undo: remove service")
	require.NoError(t, b.engine.GiveUp(t.Context(), standing.ID))
	ended := b.awaitState(standing.ID, linegate.OrderLeftovers)
	assert.Contains(t, ended.Result.Error, "did not call in within")
	require.Len(t, ended.Result.Left, 1)
	assert.Contains(t, ended.Result.Left[0], "onu: undo: remove service")
}

func (b *bench) awaitState(id string, want linegate.OrderState) (standing Standing) {
	b.Helper()
	require.Eventually(b, func() bool {
		var err error
		standing, err = b.engine.Await(b.Context(), id)
		return err == nil && standing.State == want
	}, time.Minute, time.Millisecond)
	return standing
}

func TestAnEngineThatStopsLeavesItsOrdersToTheNext(t *testing.T) {
	b := newBench(t, nil)
	b.world.offline["cpe-alice"] = 1 << 30
	id, err := b.engine.Submit(t.Context(), full("1", "alice"))
	require.NoError(t, err)
	require.Eventually(t, func() bool { b.world.mu.Lock(); defer b.world.mu.Unlock(); return len(b.world.cpes) > 0 }, time.Minute, time.Millisecond)
	require.NoError(t, b.engine.Close())
	b.world.mu.Lock()
	b.world.offline["cpe-alice"] = 0
	b.world.mu.Unlock()
	sealer, err := store.OpenKeyFile(filepath.Join(b.Folder, "key"))
	require.NoError(t, err)
	b.engine = b.start(sealer, nil)
	assert.Equal(t, linegate.OrderDone, b.settle(id).State)
	assert.Equal(t, linegate.StatusActive, b.subscriber("alice").Status)
}

// eachNetBox runs a test against fakes of both kinds of answers, and against the real
// server that the environment names.
func eachNetBox(t *testing.T, test func(*testing.T, place, netBox)) {
	for version, where := range map[[3]int]func(*testing.T) place{{3, 0, 0}: onSQLite, {4, 7, 3}: onPostgres} {
		t.Run(fmt.Sprintf("as version %d.%d.%d", version[0], version[1], version[2]), func(t *testing.T) {
			t.Parallel()
			n := pooled("", netboxtest.Token1)
			server := netboxtest.New(version, n.ipv4, n.prefixes)
			t.Cleanup(server.Close)
			n.url = server.URL()
			test(t, where(t), n)
			assert.Equal(t, 2*places, server.Objects(), "nothing leaked, with a key or without")
		})
	}
	if n, named := realOne(t); named {
		t.Run("real", func(t *testing.T) { test(t, onPostgres(t), n) })
	}
}

// places is how many addresses a /25 has for hosts.
const places = 126

// The real client, and 200 orders at once on pools of which one has no room for all.
func TestMoreOrdersThanAPoolHasAddressesLeakNothingInNetBox(t *testing.T) {
	eachNetBox(t, func(t *testing.T, where place, n netBox) {
		// With a tag of its own nothing that others left is taken for a leak.
		client, err := netbox.New(netbox.Options{URL: n.url, Token: n.token, Pools: n.pools(), Tag: "linegate-" + strings.ToLower(cryptorand.Text())})
		require.NoError(t, err)
		b := newBenchIn(t, where, newWorld(), func(o *Options) {
			o.Addresses, o.Parallel = client, 8
			o.Timing.Limits[inNetBox] = 2 * time.Minute
		})
		const orders = 200
		usernames := make([]string, orders)
		for i := range orders {
			usernames[i] = fmt.Sprintf("sub-%03d", i)
		}
		states, given := map[linegate.OrderState]int{}, map[netip.Addr]bool{}
		for username, standing := range b.all(usernames, addressed) {
			states[standing.State]++
			if standing.State == linegate.OrderDone {
				given[standing.Result.IPv4] = true
				continue
			}
			assert.Contains(t, standing.Result.Error, fmt.Sprintf("pool %s has no free address left", n.ipv4))
			assert.Nil(t, b.subscriber(username))
		}
		assert.Equal(t, map[linegate.OrderState]int{linegate.OrderDone: places, linegate.OrderUndone: orders - places}, states)
		assert.Len(t, given, places, "no address twice")
		held := 0
		require.NoError(t, client.Managed(t.Context(), func(linegate.Allocation) error { held++; return nil }))
		assert.Equal(t, 2*places, held, "nothing leaked")
		found, err := Reconcile(t.Context(), b.engine.options, false)
		require.NoError(t, err)
		assert.Empty(t, found)
		assert.Len(t, b.records().vlans, places)
	})
}

// addressed is an order for addresses and a VLAN alone.
func addressed(username string) linegate.Order {
	order := small(username)
	order.CPE, order.ONU = nil, nil
	return order
}

func TestAPasswordOfAnOrderIsNowhereInClear(t *testing.T) {
	b := newBench(t, nil)
	order := full("1", "alice")
	order.Set["password"] = "correct-horse-battery"
	require.Equal(t, linegate.OrderDone, b.run(order).State)
	for _, name := range []string{"linegate.db", "linegate.db-wal"} {
		text, err := os.ReadFile(filepath.Join(b.Folder, name))
		require.NoError(t, err)
		assert.NotContains(t, string(text), "correct-horse-battery", name)
		assert.NotContains(t, string(text), base64.StdEncoding.EncodeToString([]byte("correct-horse-battery"))[:24], name)
	}
}

// A call that never answers ends with the limit, and counts as one that may have
// been carried out.
func TestACallThatNeverAnswersEndsWithItsLimit(t *testing.T) {
	var hung atomic.Int32
	b := newBench(t, func(o *Options) {
		inner := o.ONU.(onuPort).handle
		o.Timing.Limits[inONU] = 50 * time.Millisecond
		o.ONU = onuPort{func(ctx context.Context, method string, a asked) (told, error) {
			if hung.Add(1) == 1 {
				<-ctx.Done()
				return told{}, ctx.Err()
			}
			return inner(context.WithoutCancel(ctx), method, a)
		}}
	})
	id, err := b.engine.Submit(t.Context(), full("1", "alice"))
	require.NoError(t, err)
	assert.Equal(t, linegate.OrderDone, b.settle(id).State)
	assert.Greater(t, hung.Load(), int32(1))
}
