package provisioning

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"linegate"
)

func TestAServiceIsPutBackOnItsONU(t *testing.T) {
	b := newBench(t, nil)
	require.Equal(t, linegate.OrderDone, b.run(full("1", "alice")).State)
	service := b.service("alice")
	require.True(t, OnONU(service))
	clear(b.world.onus)
	require.NoError(t, b.engine.RestoreONU(t.Context(), service))
	assert.Contains(t, b.world.onus, service.ID)

	require.NoError(t, b.store.Claim(t.Context(), tenant, "alice", tenant+"/other"))
	require.ErrorIs(t, b.engine.RestoreONU(t.Context(), service), linegate.ErrConflict, "an order works on it")
	require.NoError(t, b.store.Unclaim(t.Context(), tenant, "alice", tenant+"/other"))

	require.Equal(t, linegate.OrderDone, b.run(brief("2", linegate.OrderDeprovision, "alice")).State)
	require.ErrorIs(t, b.engine.RestoreONU(t.Context(), service), linegate.ErrConflict, "it was taken down meanwhile")
	assert.NotContains(t, b.world.onus, service.ID)
	assert.False(t, OnONU(b.service("alice")))
}

// An order waits for the keeper, which an engine that was killed may have left.
func TestAnOrderWaitsForTheKeeper(t *testing.T) {
	b := newBench(t, nil)
	require.Equal(t, linegate.OrderDone, b.run(full("1", "alice")).State)
	require.NoError(t, b.store.Claim(t.Context(), tenant, "Alice", keeper))
	id, err := b.engine.Submit(t.Context(), brief("2", linegate.OrderSuspend, "alice"))
	require.NoError(t, err)
	waiting := make(chan Standing)
	go func() {
		standing, err := b.engine.Await(t.Context(), id)
		assert.NoError(t, err)
		waiting <- standing
	}()
	require.NoError(t, b.engine.releaseKept(t.Context()))
	assert.Equal(t, linegate.OrderDone, (<-waiting).State)
}
