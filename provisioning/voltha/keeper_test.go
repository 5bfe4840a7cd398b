package voltha

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"linegate"
	"linegate/provisioning/peertest"
)

func keeperOf(l *lab, wanted ...linegate.ONUService) *Keeper {
	return &Keeper{
		Client: l.client, Logger: slog.New(slog.NewJSONHandler(l.log, nil)),
		Wanted: func(context.Context) ([]linegate.ONUService, error) { return wanted, nil },
		Repair: func(ctx context.Context, service linegate.ONUService) error {
			_, err := l.client.Provision(ctx, service)
			return err
		},
	}
}

func TestASweepRepairsWhatARestartLost(t *testing.T) {
	l := newLab(t)
	first, second := double("s1", serial, 900), double("s2", "BBSM00000002", 901)
	l.provision(t, first)
	l.provision(t, second)
	keeper := keeperOf(l, first, second)

	sweep, err := keeper.Sweep(t.Context())
	require.NoError(t, err)
	assert.Equal(t, Sweep{Checked: 2}, sweep)

	l.RebootONU(serial)
	sweep, err = keeper.Sweep(t.Context())
	require.NoError(t, err)
	assert.Equal(t, Sweep{Checked: 2, Repaired: 1}, sweep)
	assert.Contains(t, l.log.String(), `"event":"onu_repaired"`)

	l.Restart()
	sweep, err = keeper.Sweep(t.Context())
	require.NoError(t, err)
	assert.Equal(t, Sweep{Checked: 2, Repaired: 2}, sweep)
	assert.Len(t, l.Flows(), 8)
}

func TestASweepLeavesAnONUThatIsOffAlone(t *testing.T) {
	l := newLab(t)
	gone := double("s2", "BBSM00000002", 901)
	l.provision(t, double("s1", serial, 900))
	l.PowerOff(serial)
	l.Unplug("BBSM00000002")
	before := l.changes()
	sweep, err := keeperOf(l, double("s1", serial, 900), gone).Sweep(t.Context())
	require.NoError(t, err)
	assert.Equal(t, Sweep{Checked: 2}, sweep)
	assert.Equal(t, before, l.changes())

	l.PowerOn(serial)
	sweep, err = keeperOf(l, double("s1", serial, 900)).Sweep(t.Context())
	require.NoError(t, err)
	assert.Equal(t, Sweep{Checked: 1, Repaired: 1}, sweep)
}

func TestARepairThatFailsIsToldAndTriedAgain(t *testing.T) {
	l := newLab(t)
	service := double("s1", serial, 900)
	keeper := keeperOf(l, service)
	l.Inject(peertest.Fault{On: "MeterTable"})
	sweep, err := keeper.Sweep(t.Context())
	require.NoError(t, err)
	assert.Equal(t, Sweep{Checked: 1, Failed: 1}, sweep)
	assert.Contains(t, l.log.String(), `"event":"onu_repair_failed"`)
	sweep, err = keeper.Sweep(t.Context())
	require.NoError(t, err)
	assert.Equal(t, Sweep{Checked: 1, Repaired: 1}, sweep)
}

func TestASweepThatCanNotLookRepairsNothing(t *testing.T) {
	l := newLab(t)
	keeper := keeperOf(l, double("s1", serial, 900))
	l.Inject(peertest.Fault{On: "ListLogicalDeviceFlows"})
	_, err := keeper.Sweep(t.Context())
	require.ErrorIs(t, err, linegate.ErrTryAgain)
	assert.Zero(t, l.changes())
	keeper.Wanted = func(context.Context) ([]linegate.ONUService, error) { return nil, errors.New("no store") }
	_, err = keeper.Sweep(t.Context())
	require.ErrorContains(t, err, "no store")
}

func TestAKeeperSweepsUntilItIsStopped(t *testing.T) {
	l := newLab(t)
	keeper := keeperOf(l, double("s1", serial, 900))
	l.Inject(peertest.Fault{On: "ListLogicalDevices", Times: 1})
	ticks := make(chan time.Time)
	keeper.After = func(wait time.Duration) <-chan time.Time {
		assert.Equal(t, time.Minute, wait)
		return ticks
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		keeper.Run(ctx)
		close(done)
	}()
	for range 3 { // the third is taken when the second sweep is over
		ticks <- time.Time{}
	}
	stop()
	<-done
	assert.Contains(t, l.log.String(), "services on ONUs could not be checked")
	assert.Len(t, l.Flows(), 4)
	keeper.After = nil
	keeper.Run(ctx)
}
