package coa_test

import (
	"context"
	"errors"
	"net/netip"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"linegate"
	"linegate/coa"
)

// changer answers after a second with what answer says.
type changer struct {
	answer func(order coa.Order) (linegate.ChangeOutcome, error)
	takes  time.Duration

	mu    sync.Mutex
	asked map[string]int
}

func (c *changer) Window(linegate.NASKey) int { return 4 }

func (c *changer) Apply(ctx context.Context, order coa.Order) (linegate.ChangeOutcome, error) {
	c.mu.Lock()
	if c.asked == nil {
		c.asked = map[string]int{}
	}
	c.asked[order.Session.ID]++
	c.mu.Unlock()
	select {
	case <-time.After(c.takes):
		return c.answer(order)
	case <-ctx.Done():
		return linegate.ChangeOutcome{}, ctx.Err()
	}
}

// times is how often a session was asked for.
func (c *changer) times(session string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.asked[session]
}

// journal keeps records in memory.
type journal struct {
	mu      sync.Mutex
	records map[string]linegate.ChangeRecord
	fails   error
}

func (j *journal) Record(_ context.Context, done []linegate.ChangeRecord) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, record := range done {
		j.records[record.SessionID] = record
	}
	return j.fails
}

// ordersOn are disconnects of so many sessions on each of the NAS.
func ordersOn(each int, boxes ...string) (orders []coa.Order) {
	for _, box := range boxes {
		for i := range each {
			one := session(box + "-" + strconv.Itoa(i))
			one.NAS.Address = netip.MustParseAddr(box)
			orders = append(orders, coa.Order{Session: one, Changes: []linegate.Change{disconnect}})
		}
	}
	return orders
}

func acked(coa.Order) (linegate.ChangeOutcome, error) {
	return linegate.ChangeOutcome{Result: linegate.ChangeAcked}, nil
}

func TestAMassChangeAccountsForEveryOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &changer{takes: time.Second}
		c.answer = func(order coa.Order) (linegate.ChangeOutcome, error) {
			switch order.Session.AcctSessionID {
			case "192.0.2.1-3":
				return linegate.ChangeOutcome{Result: linegate.ChangeRefused, Cause: 503}, nil
			case "192.0.2.1-4":
				return linegate.ChangeOutcome{Result: linegate.ChangeTimeout}, nil
			case "192.0.2.2-5":
				return linegate.ChangeOutcome{Result: linegate.ChangeAcked, Disconnected: true}, nil
			case "192.0.2.2-6":
				return linegate.ChangeOutcome{}, errors.New("no such NAS")
			}
			return acked(order)
		}
		j := &journal{records: map[string]linegate.ChangeRecord{}}
		progress := 0
		mass := coa.Mass{Changer: c, Journal: j, Progress: func(coa.Order, linegate.ChangeOutcome) { progress++ }}
		began := time.Now()
		tally, err := mass.Run(t.Context(), ordersOn(40, "192.0.2.1", "192.0.2.2"))
		require.NoError(t, err)
		assert.Equal(t, coa.Tally{Total: 80, Left: 1, Disconnected: 1, Problems: []string{"no such NAS"},
			Results: map[linegate.ChangeResult]int{linegate.ChangeAcked: 77, linegate.ChangeRefused: 1, linegate.ChangeTimeout: 1},
			Causes:  map[linegate.ErrorCause]int{503: 1}}, tally)
		assert.Equal(t, 10*time.Second, time.Since(began), "4 at a time of 40, both NAS at once")
		assert.Len(t, j.records, 79)
		assert.Equal(t, 79, progress)
	})
}

func TestAMassChangeKeepsToItsRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		_, err := (&coa.Mass{Changer: &changer{answer: acked}, Rate: 10}).Run(t.Context(), ordersOn(101, "192.0.2.1"))
		require.NoError(t, err)
		assert.InDelta(t, 10, time.Since(began).Seconds(), 0.01)
	})
}

func TestWhatANASCannotDoNowIsAskedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &changer{}
		c.answer = func(order coa.Order) (linegate.ChangeOutcome, error) {
			if id := order.Session.ID; id == "uuid-192.0.2.1-0" && c.times(id) < 3 || id == "uuid-192.0.2.1-1" {
				return linegate.ChangeOutcome{Result: linegate.ChangeRefused, Cause: 506}, nil
			}
			return acked(order)
		}
		began := time.Now()
		tally, err := (&coa.Mass{Changer: c}).Run(t.Context(), ordersOn(3, "192.0.2.1"))
		require.NoError(t, err)
		assert.Equal(t, map[linegate.ChangeResult]int{linegate.ChangeAcked: 2, linegate.ChangeRefused: 1}, tally.Results)
		assert.Equal(t, map[string]int{"uuid-192.0.2.1-0": 3, "uuid-192.0.2.1-1": 3, "uuid-192.0.2.1-2": 1}, c.asked)
		assert.Equal(t, 20*time.Second, time.Since(began))
	})
}

func TestASilentNASDoesNotHoldUpTheRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &changer{takes: 30 * time.Second, answer: func(order coa.Order) (linegate.ChangeOutcome, error) {
			if order.Session.NAS.Address == netip.MustParseAddr("192.0.2.1") {
				return linegate.ChangeOutcome{Result: linegate.ChangeTimeout}, nil
			}
			return acked(order)
		}}
		tally, err := (&coa.Mass{Changer: c}).Run(t.Context(), ordersOn(40, "192.0.2.1", "192.0.2.2"))
		require.NoError(t, err)
		assert.Equal(t, 40, tally.Results[linegate.ChangeAcked])
		assert.GreaterOrEqual(t, tally.Results[linegate.ChangeTimeout], 8, "two windows")
		assert.Equal(t, 40, tally.Results[linegate.ChangeTimeout]+tally.Left)
		assert.NotZero(t, tally.Left)
		assert.Contains(t, tally.Problems[0], "did not answer 8 times in a row")
	})
}

func TestAnEndedMassChangeWaitsForWhatIsUnderWay(t *testing.T) {
	for name, test := range map[string]struct {
		takes                 time.Duration
		acked, left, recorded int
	}{
		"answered within the grace": {4 * time.Second, 4, 36, 4},
		"not answered within it":    {time.Minute, 0, 40, 4}, // those are kept as uncertain
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				j := &journal{records: map[string]linegate.ChangeRecord{}}
				tally, err := (&coa.Mass{Changer: &changer{answer: acked, takes: test.takes}, Journal: j}).Run(ctx, ordersOn(40, "192.0.2.1"))
				require.NoError(t, err)
				assert.Equal(t, test.acked, tally.Results[linegate.ChangeAcked])
				assert.Equal(t, test.left, tally.Left)
				assert.Len(t, j.records, test.recorded)
			})
		})
	}
}

func TestAJournalThatFailsEndsAMassChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		full := errors.New("disk full")
		j := &journal{records: map[string]linegate.ChangeRecord{}, fails: full}
		tally, err := (&coa.Mass{Changer: &changer{answer: acked, takes: time.Second}, Journal: j}).Run(t.Context(), ordersOn(400, "192.0.2.1"))
		require.ErrorIs(t, err, full)
		assert.Greater(t, tally.Left, 300)
	})
}
