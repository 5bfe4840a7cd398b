package provisioning

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"linegate"
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
