package provisioning

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"linegate"
)

// numbers remembers whose fixed addresses were used.
type numbers struct {
	unobserved
	seen []string
}

func (n *numbers) StaticIPUsed(service linegate.Service, _ netip.Addr) {
	n.seen = append(n.seen, service.Metadata.SubscriberNumber)
}

func TestEveryRecordOfAServiceHasTheSubscribersNumber(t *testing.T) {
	listener := &numbers{}
	b := newBench(t, func(o *Options) { o.Observer = listener })
	order := full("1", "alice")
	order.Set["static_ipv4"] = "203.0.113.7"
	require.Equal(t, linegate.OrderDone, b.run(order).State)
	subscriber, err := b.store.Subscriber(t.Context(), tenant, "alice")
	require.NoError(t, err)
	require.NotEmpty(t, subscriber.ID)
	service, err := b.store.Service(t.Context(), tenant, "alice")
	require.NoError(t, err)
	assert.Equal(t, subscriber.ID, service.Metadata.SubscriberNumber)

	service.Metadata.SubscriberNumber = "" // a record of before
	require.NoError(t, b.store.PutService(t.Context(), service))
	change := linegate.Order{Key: "2", Kind: linegate.OrderChange, Tenant: tenant, Username: "alice", Actor: "test",
		Set: map[string]string{"static_ipv4": "203.0.113.8"}}
	require.Equal(t, linegate.OrderDone, b.run(change).State)
	service, err = b.store.Service(t.Context(), tenant, "alice")
	require.NoError(t, err)
	assert.Equal(t, subscriber.ID, service.Metadata.SubscriberNumber)
	assert.Equal(t, []string{subscriber.ID, subscriber.ID}, listener.seen)
}
