package provisioning

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"linegate"
)

// prepare carries out what comes before the plot's own order.
func (b *bench) prepare(p plot, usernames []string) {
	b.Helper()
	for _, earlier := range p.before {
		for username, standing := range b.all(usernames, earlier) {
			require.Equal(b, linegate.OrderDone, standing.State, "%s: %+v", username, standing)
		}
	}
}

// all carries out the same order for every username, at once, and returns how they
// ended.
func (b *bench) all(usernames []string, order func(string) linegate.Order) map[string]Standing {
	b.Helper()
	ended := map[string]Standing{}
	for _, username := range usernames {
		_, err := b.engine.Submit(b.Context(), order(username))
		require.NoError(b, err)
	}
	for _, username := range usernames {
		ended[username] = b.settle(OrderID(order(username)))
	}
	return ended
}

// settle waits until an order ended; one that is stuck goes on by itself.
func (b *bench) settle(id string) Standing {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), longest)
	defer cancel()
	standing, err := ending(ctx, b.engine, id)
	require.NoError(b, err)
	return standing
}

// longest is how long an order may take, beside hundreds of others.
const longest = 5 * time.Minute

// ending returns how an order stands when it ended.
func ending(ctx context.Context, engine *Engine, id string) (Standing, error) {
	stuck := ""
	for {
		standing, err := engine.Await(ctx, id)
		if err != nil {
			return standing, fmt.Errorf("order %s has not ended, stuck at %q: %w", id, stuck, err)
		}
		if standing.State != linegate.OrderStuck {
			return standing, nil
		}
		stuck = standing.Stuck
		if ctx.Err() != nil {
			return standing, fmt.Errorf("order %s has not ended, stuck at %q: %w", id, stuck, ctx.Err())
		}
	}
}

// span carries the course out without a mishap, and returns the first and the last
// call to try: all on the way forward, or those after the turn.
func (b *bench) span(m *moody, c course) (first, last int) {
	b.Helper()
	username := c.user("span")
	b.try(m, c, []trial{{username: username, label: "no mishap", mood: mood{Poison: c.turn()}, sure: true}}, moments{})
	calls := m.made(username)
	if !c.back {
		return 1, len(calls)
	}
	return slices.Index(calls, c.poison) + 1, len(calls)
}

// end is how the course ends when nothing else happens.
func (c course) end() linegate.OrderState {
	if c.back {
		return linegate.OrderUndone
	}
	return linegate.OrderDone
}

// trial is one case of a matrix: what happens to the order of a username.
type trial struct {
	username, label string
	mood            mood
	sure            bool // it ends as the course does; else it may also be undone
}

// moments are called between the parts of a trial; nil: nobody is.
type moments struct {
	ready func() // all that comes before is done
	ended func() // the order ended, and nobody has looked yet
}

// try carries the course out for all trials at once, and checks each.
func (b *bench) try(m *moody, c course, trials []trial, when moments) {
	b.Helper()
	usernames := make([]string, len(trials))
	for i := range trials {
		usernames[i] = trials[i].username
	}
	b.prepare(c.plot, usernames)
	r, before := b.records(), map[string]trace{}
	for _, now := range trials {
		before[now.username] = b.trace(r, now.username)
		m.watch(c.plot, now.username, now.mood)
	}
	if when.ready != nil {
		when.ready()
	}
	ended := b.all(usernames, c.order)
	if when.ended != nil {
		when.ended()
	}
	r = b.records()
	for _, now := range trials {
		label := fmt.Sprintf("%s: %s, after %v", c, now.label, m.made(now.username))
		b.checkEnd(r, c.plot, now.username, before[now.username], ended[now.username].State, label)
		if c.back || now.sure {
			assert.Equal(b, c.end(), ended[now.username].State, "%s: %+v", label, ended[now.username])
		}
	}
}

// mishaps are the trials of each call with each kind of mishap, or with the kinds in
// turn.
func mishaps(c course, first, last int, inTurn bool) (trials []trial) {
	kinds := []mishap{refusal, timeout, lostAnswer}
	for at := first; at <= last; at++ {
		for i, what := range kinds {
			if inTurn && i != at%len(kinds) {
				continue
			}
			trials = append(trials, trial{
				username: c.user(fmt.Sprint(at, "-", i)), label: fmt.Sprintf("%s at call %d", what, at),
				mood: mood{At: at, Mishap: what, Poison: c.turn()},
			})
		}
	}
	return trials
}

// Every call of every workflow, to the store and to the systems, is refused, left
// without an answer, and answered without the answer arriving, on the way forward and
// on the way back: on PostgreSQL each call with each of the three, on SQLite, which the
// race detector makes slow, each call with one of them.
func TestEveryMishapEndsDoneOrUndone(t *testing.T) {
	for name, where := range map[string]func(*testing.T) place{"PostgreSQL": onPostgres, "SQLite": onSQLite} {
		t.Run(name, func(t *testing.T) {
			m := newMoody()
			b := newBenchIn(t, where(t), newWorld(), m.adjust)
			var cases atomic.Int32
			t.Cleanup(func() { t.Logf("%d cases", cases.Load()) })
			for _, c := range courses() {
				t.Run(c.String(), func(t *testing.T) {
					t.Parallel()
					b := b.on(t)
					first, last := b.span(m, c)
					trials := mishaps(c, first, last, name == "SQLite")
					b.try(m, c, trials, moments{})
					cases.Add(int32(len(trials)))
				})
			}
		})
	}
}
