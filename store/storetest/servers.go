package storetest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"linegate"
	"linegate/store"
)

// RunServers runs the tests of what two servers on one store write in turn: what one
// remembers of a session, the other may have changed. open returns both, on an empty
// store, and sees to their closing.
func RunServers(t *testing.T, open func(t *testing.T) (one, other store.Engine)) {
	for name, test := range map[string]struct {
		other func(t *testing.T, other engine) // what it does to the session that one began
		check func(t *testing.T, s *linegate.Session)
	}{
		"an interim is counted": {
			func(t *testing.T, other engine) { other.record(t, interim("s", epoch, 2*time.Minute, 5000)) },
			func(t *testing.T, s *linegate.Session) {
				assert.Equal(t, uint64(5000), s.InputOctets, "the counters never fall")
				assert.True(t, s.Open())
			}},
		"the session ends": {
			func(t *testing.T, other engine) { other.record(t, stop("s", epoch, 2*time.Minute, 5000)) },
			func(t *testing.T, s *linegate.Session) { assert.Equal(t, epoch.Add(2*time.Minute), s.StoppedAt) }},
		"the nas restarts": {
			func(t *testing.T, other engine) {
				other.record(t, event(linegate.AcctOn, "", epoch.Add(2*time.Minute)))
			},
			func(t *testing.T, s *linegate.Session) {
				assert.Equal(t, epoch.Add(2*time.Minute), s.StoppedAt)
				assert.Equal(t, linegate.CauseNASReboot, s.TerminateCause)
			}},
		"something else becomes known": {
			func(t *testing.T, other engine) {
				told := interim("s", epoch, 2*time.Minute, 300)
				told.SubscriberID, told.CallingStationID = "alice-id", "00:11:22:33:44:55"
				other.record(t, told)
			},
			func(t *testing.T, s *linegate.Session) {
				assert.Equal(t, "alice-id", s.SubscriberID)
				assert.Equal(t, "00:11:22:33:44:55", s.CallingStationID)
			}},
	} {
		t.Run(name, func(t *testing.T) {
			first, second := open(t)
			one, other := engine{first}, engine{second}
			one.record(t, start("s", epoch))
			one.record(t, interim("s", epoch, time.Minute, 100))
			test.other(t, other)
			events := other.countEvents(t)
			one.record(t, interim("s", epoch, 3*time.Minute, 400))
			test.check(t, one.one(t, "s"))
			assert.Equal(t, events+1, one.countEvents(t))
			one.record(t, interim("s", epoch, 3*time.Minute, 400))
			other.record(t, interim("s", epoch, 3*time.Minute, 400))
			assert.Equal(t, events+1, one.countEvents(t), "a retransmission counts nowhere")
		})
	}
	t.Run("the session is dropped", func(t *testing.T) {
		first, second := open(t)
		one, other := engine{first}, engine{second}
		one.record(t, start("s", epoch))
		other.record(t, stop("s", epoch, time.Minute, 100))
		_, err := other.Retain(within(t), store.Retention{SessionsBefore: epoch.Add(time.Hour)})
		require.NoError(t, err)
		one.record(t, interim("s", epoch, 2*time.Minute, 400))
		assert.Equal(t, uint64(400), one.one(t, "s").InputOctets, "what still comes is kept, as of a session whose Start was lost")
	})
	t.Run("the session falls silent", func(t *testing.T) {
		first, second := open(t)
		one, other := engine{first}, engine{second}
		begin := start("s", epoch)
		begin.InterimInterval = 60
		one.record(t, begin)
		require.Equal(t, 1, other.markStale(t, epoch.Add(time.Hour)))
		late := interim("s", epoch, 0, 400)
		one.record(t, late)
		assert.Equal(t, linegate.CauseStale, one.one(t, "s").TerminateCause, "an interim of then does not revive it")
		one.record(t, interim("s", epoch, 2*time.Hour, 500))
		assert.True(t, one.one(t, "s").Open())
	})
}
