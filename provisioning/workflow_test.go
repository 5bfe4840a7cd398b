package provisioning

import (
	"context"
	"fmt"
	"net/netip"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"linegate"
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

// Twice as many orders as addresses, all at once, on one pool.
func TestManyOrdersOnOnePoolGetDifferentAddressesOrNothing(t *testing.T) {
	b := newBench(t, nil)
	b.world.places = 100
	const orders = 200
	for i := range orders {
		order := small(fmt.Sprintf("sub-%03d", i))
		order.CPE, order.ONU = nil, nil
		_, err := b.engine.Submit(t.Context(), order)
		require.NoError(t, err)
	}
	states, addresses := map[linegate.OrderState]int{}, map[netip.Addr]int{}
	for i := range orders {
		standing := b.settle(OrderID(small(fmt.Sprintf("sub-%03d", i))))
		states[standing.State]++
		if standing.State == linegate.OrderDone {
			addresses[standing.Result.IPv4]++
			continue
		}
		assert.Contains(t, standing.Result.Error, "nothing is left: pool exhausted")
		assert.Nil(t, b.subscriber(fmt.Sprintf("sub-%03d", i)))
	}
	assert.Equal(t, map[linegate.OrderState]int{linegate.OrderDone: 100, linegate.OrderUndone: 100}, states)
	assert.Len(t, addresses, 100, "no address twice")
	assert.Len(t, b.world.allocations, 200, "an address and a prefix each, and nothing of those that were undone")
	booked, vlans := 0, 0
	require.NoError(t, b.store.Allocations(t.Context(), func(linegate.AllocationRecord) error { booked++; return nil }))
	require.NoError(t, b.store.VLANAssignments(t.Context(), tenant, func(linegate.VLANAssignment) error { vlans++; return nil }))
	assert.Equal(t, 200, booked)
	assert.Equal(t, 100, vlans)
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
	sealer, err := store.OpenKeyFile(filepath.Join(b.folder, "key"))
	require.NoError(t, err)
	b.engine = b.start(sealer, nil)
	assert.Equal(t, linegate.OrderDone, b.settle(id).State)
	assert.Equal(t, linegate.StatusActive, b.subscriber("alice").Status)
}
