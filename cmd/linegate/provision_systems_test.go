package main

import (
	"log/slog"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"linegate"
	"linegate/cmd/linegate/config"
	"linegate/provisioning"
	"linegate/provisioning/genieacs"
	"linegate/provisioning/genieacs/genieacstest"
	"linegate/provisioning/voltha"
	"linegate/provisioning/voltha/volthatest"
)

// What the workflows ask for is what the clients do.
var (
	_ provisioning.ONU = voltha.Client(nil)
	_ provisioning.CPE = (*genieacs.Client)(nil)
)

func TestSystemsThatAreNotConfiguredAreNotOpened(t *testing.T) {
	c, err := config.Load("")
	require.NoError(t, err)
	onus, err := openONUs(c.VOLTHA, slog.Default())
	require.NoError(t, err)
	assert.Nil(t, onus)
	cpe, err := openCPE(c.GenieACS, slog.Default())
	require.NoError(t, err)
	assert.True(t, cpe == nil, "also for whoever compares it")
}

func TestTheConfigurationOpensVOLTHAAndGenieACS(t *testing.T) {
	core, acs := volthatest.StartCore(t, nil), genieacstest.Start(t)
	t.Setenv("LINEGATE_VOLTHA_ADDRESS", core.Address())
	t.Setenv("LINEGATE_VOLTHA_SETTLE", "10ms")
	t.Setenv("LINEGATE_GENIEACS_URL", acs.URL())
	c, err := config.Load("")
	require.NoError(t, err)

	onus, err := openONUs(c.VOLTHA, slog.Default())
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, onus.Close()) })
	service := linegate.ONUService{ID: "s1", Serial: "BBSM00000001", UNI: 1, QinQ: true, ServiceVLAN: 800, InnerVLAN: 900}
	result, err := onus.Provision(t.Context(), service)
	require.NoError(t, err)
	assert.True(t, result.Installed)
	assert.Len(t, core.Wire(), 4)

	cpe, err := openCPE(c.GenieACS, slog.Default())
	require.NoError(t, err)
	plan, err := cpe.Plan(t.Context(), linegate.CPESettings{ServiceID: "s1", Device: "HWTCAABBCC01", ServiceVLAN: 800})
	require.NoError(t, err)
	assert.Equal(t, genieacstest.TR098, plan.Device)
}
