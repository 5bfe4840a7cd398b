package provisioning

import (
	"context"
	"testing"
	"time"

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

// watchedBook tells when somebody asks who has which subscriber.
type watchedBook struct {
	Book
	asked chan struct{}
}

func (b watchedBook) Claims(ctx context.Context, fn func(tenant, username, order string) error) error {
	select {
	case b.asked <- struct{}{}:
	default:
	}
	return b.Book.Claims(ctx, fn)
}

// An order waits for the keeper, which an engine that was killed may have left.
func TestAnOrderWaitsForTheKeeper(t *testing.T) {
	asked := make(chan struct{})
	b := newBench(t, func(o *Options) { o.Book = watchedBook{o.Book, asked} })
	require.Equal(t, linegate.OrderDone, b.run(full("1", "alice")).State)
	require.NoError(t, b.store.Claim(t.Context(), tenant, "alice", keeper))
	id, err := b.engine.Submit(t.Context(), brief("2", linegate.OrderSuspend, "alice"))
	require.NoError(t, err)
	select {
	case <-asked: // the order found the subscriber taken
	case <-time.After(20 * time.Second):

		require.Fail(t, "the order did not look who has the subscriber")
	}
	require.NoError(t, b.engine.releaseKept(t.Context()))
	standing, err := b.engine.Await(t.Context(), id)
	require.NoError(t, err)
	assert.Equal(t, linegate.OrderDone, standing.State, standing.Result.Error)
}
