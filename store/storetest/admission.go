package storetest

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"linegate"
	"linegate/store"
)

// household asks for sessions of one subscriber of its own.
type household struct {
	engine
	subscriber string
	limit      uint16
}

func (e engine) household(limit uint16) household {
	return household{engine: e, subscriber: store.NewID(), limit: limit}
}

const hold = 30 * time.Second

// admit asks for a session at a station and holds its place.
func (h household) admit(t *testing.T, station string, at time.Time) bool {
	t.Helper()
	return h.ask(t, linegate.PlaceOf(station, "", ""), at, hold)
}

func (h household) ask(t *testing.T, place string, at time.Time, hold time.Duration) bool {
	t.Helper()
	admitted, err := h.Admit(within(t), linegate.Admission{SubscriberID: h.subscriber, Place: place, Limit: h.limit, At: at, Hold: hold})
	require.NoError(t, err)
	return admitted
}

// begins starts a session at a station.
func (h household) begins(t *testing.T, id, station string, at time.Time) {
	t.Helper()
	h.record(t, h.session(start(id, at), station))
}

// session makes an event one of this household's at a station.
func (h household) session(e linegate.AccountingEvent, station string) linegate.AccountingEvent {
	e.SubscriberID, e.CallingStationID = h.subscriber, station
	return e
}

const (
	stationA = "02:00:00:00:00:0a"
	stationB = "02:00:00:00:00:0b"
	stationC = "02:00:00:00:00:0c"
)

func testAdmissions(t *testing.T, e engine) {
	t.Run("who has nothing open is admitted", func(t *testing.T) {
		assert.True(t, e.household(1).admit(t, stationA, epoch))
	})
	t.Run("an open session elsewhere counts", func(t *testing.T) {
		h := e.household(1)
		h.begins(t, "elsewhere", stationA, epoch)
		assert.False(t, h.admit(t, stationB, epoch))
	})
	t.Run("the own place never counts, in whatever notation", func(t *testing.T) {
		h := e.household(1)
		h.begins(t, "own", stationA, epoch) // its Stop will be lost
		assert.True(t, h.admit(t, "02-00-00-00-00-0A", epoch.Add(time.Hour)))
	})
	t.Run("two sessions at one place are one", func(t *testing.T) {
		h := e.household(2)
		h.begins(t, "voice", stationA, epoch)
		h.begins(t, "data", stationA, epoch)
		assert.True(t, h.admit(t, stationB, epoch))
		assert.False(t, h.admit(t, stationC, epoch), "now two places are taken")
	})
	t.Run("a session that ended counts no more", func(t *testing.T) {
		h := e.household(1)
		h.begins(t, "ending", stationA, epoch)
		h.record(t, h.session(stop("ending", epoch, time.Minute, 1), stationA))
		assert.True(t, h.admit(t, stationB, epoch.Add(time.Hour)))
	})
	t.Run("nor does a stale one", func(t *testing.T) {
		h := e.household(1)
		h.record(t, reporting(h.session(start("gone", epoch), stationA)))
		assert.False(t, h.admit(t, stationB, epoch))
		require.Equal(t, 1, e.markStale(t, epoch.Add(time.Hour)))
		assert.True(t, h.admit(t, stationB, epoch))
	})
	t.Run("a place that is held counts until it expires", func(t *testing.T) {
		h := e.household(1)
		require.True(t, h.admit(t, stationA, epoch))
		assert.False(t, h.admit(t, stationB, epoch.Add(hold-time.Millisecond)))
		assert.True(t, h.admit(t, stationB, epoch.Add(hold)))
	})
	t.Run("asking again holds it longer", func(t *testing.T) {
		h := e.household(1)
		require.True(t, h.admit(t, stationA, epoch))
		require.True(t, h.admit(t, stationA, epoch.Add(hold/2)))
		assert.False(t, h.admit(t, stationB, epoch.Add(hold+time.Second)))
	})
	t.Run("a refused place is not held", func(t *testing.T) {
		h := e.household(1)
		h.begins(t, "holder", stationA, epoch)
		require.False(t, h.admit(t, stationB, epoch))
		h.record(t, h.session(stop("holder", epoch, time.Second, 1), stationA))
		assert.True(t, h.admit(t, stationC, epoch.Add(2*time.Second)))
	})
	t.Run("a start takes the held place over, so its stop frees it", func(t *testing.T) {
		h := e.household(1)
		require.True(t, h.admit(t, stationA, epoch))
		h.begins(t, "short", stationA, epoch.Add(time.Second))
		assert.False(t, h.admit(t, stationB, epoch.Add(2*time.Second)))
		h.record(t, h.session(stop("short", epoch.Add(time.Second), 2*time.Second, 1), stationA))
		assert.True(t, h.admit(t, stationB, epoch.Add(4*time.Second)))
	})
	t.Run("a start elsewhere leaves the hold alone", func(t *testing.T) {
		h := e.household(2)
		require.True(t, h.admit(t, stationA, epoch))
		h.begins(t, "unasked", stationB, epoch)
		assert.False(t, h.admit(t, stationC, epoch.Add(time.Second)))
	})
	t.Run("asking without a hold takes nothing", func(t *testing.T) {
		h := e.household(1)
		assert.True(t, h.ask(t, "station a", epoch, 0))
		assert.True(t, h.ask(t, "station b", epoch, 0))
		require.True(t, h.admit(t, stationA, epoch))
		assert.False(t, h.ask(t, "station b", epoch, 0))
	})
	t.Run("an unknown place is one like any other", func(t *testing.T) {
		h := e.household(1)
		require.True(t, h.ask(t, "", epoch, hold))
		assert.True(t, h.ask(t, "", epoch, hold))
		assert.False(t, h.admit(t, stationA, epoch))
	})
	t.Run("subscribers don't count for one another", func(t *testing.T) {
		one, other := e.household(1), e.household(1)
		one.begins(t, "one", stationA, epoch)
		assert.True(t, other.admit(t, stationB, epoch))
	})
	t.Run("circuit and port name the place where no station is told", func(t *testing.T) {
		h := e.household(1)
		given := h.session(start("line", epoch), "")
		given.Line.CircuitID, given.NASPortID = "olt1", "ge-0/0/1"
		h.record(t, given)
		assert.True(t, h.ask(t, linegate.PlaceOf("", "olt1", "other port"), epoch, 0))
		assert.False(t, h.ask(t, linegate.PlaceOf("", "olt2", "ge-0/0/1"), epoch, 0))
	})
}

func testConcurrentAdmissions(t *testing.T, e engine) {
	race := func(t *testing.T, h household, station func(i int) string) int {
		const askers = 24
		var admitted atomic.Int64
		var running sync.WaitGroup
		for i := range askers {
			running.Go(func() {
				ok, err := h.Admit(within(t), linegate.Admission{SubscriberID: h.subscriber, Place: station(i), Limit: h.limit, At: epoch, Hold: hold})
				assert.NoError(t, err)
				if ok {
					admitted.Add(1)
				}
			})
		}
		running.Wait()
		return int(admitted.Load())
	}
	another := func(i int) string { return fmt.Sprintf("station %d", i) }
	for limit := range uint16(4) {
		t.Run(fmt.Sprintf("of many that ask at once for %d, so many are admitted", limit+1), func(t *testing.T) {
			assert.EqualValues(t, limit+1, race(t, e.household(limit+1), another))
		})
	}
	t.Run("one place that asks many times at once is admitted each time", func(t *testing.T) {
		h := e.household(1)
		assert.Equal(t, 24, race(t, h, func(int) string { return "station a" }))
		assert.False(t, h.admit(t, stationB, epoch))
	})
}
