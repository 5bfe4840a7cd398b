package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"os"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"linegate"
	"linegate/radiusd/client"
	"linegate/radiusd/wire"
	"linegate/store"
	"linegate/store/postgres/pgtest"
)

// soakVariable makes the fault test go through its faults again and again for so
// long, with outages that last: `make soak`.
const soakVariable = "LINEGATE_SOAK"

// load is steady authentication and accounting, as two BNGs make it: what one node
// leaves without an answer the other is asked.
type load struct {
	cluster *twoNodes
	stop    context.CancelFunc
	senders sync.WaitGroup
	outage  atomic.Bool

	accepts, refused, unanswered atomic.Int64
	acknowledged, sessions       atomic.Int64

	mu      sync.Mutex
	latency [2]*hdrhistogram.Histogram // in microseconds: in normal times, and while the database is away
}

func (c *twoNodes) startLoad() *load {
	ctx, stop := context.WithCancel(c.Context())
	l := &load{cluster: c, stop: stop}
	for i := range l.latency {
		l.latency[i] = hdrhistogram.New(1, time.Minute.Microseconds(), 3)
	}
	for range 4 {
		l.senders.Go(func() { l.authenticate(ctx) })
	}
	for sender := range 8 {
		l.senders.Go(func() { l.account(ctx, sender) })
	}
	c.Cleanup(func() { stop(); l.senders.Wait() })
	return l
}

// loadPatience is how long a request of the load waits for one node before the other
// is asked: less than a fault lasts, since all may have asked the node that is killed.
const loadPatience = 700 * time.Millisecond

// authenticate logs known subscribers in, one after the other.
func (l *load) authenticate(ctx context.Context) {
	for ctx.Err() == nil {
		number, first := mathrand.IntN(knownSubscribers), mathrand.IntN(2)
		began := time.Now()
		err := l.cluster.login(first, number, loadPatience)
		if err != nil && !errors.Is(err, errRefused) {
			err = l.cluster.login(1-first, number, 10*time.Second)
		}
		switch {
		case ctx.Err() != nil:
			return
		case errors.Is(err, errRefused):
			l.refused.Add(1)
		case err != nil:
			l.unanswered.Add(1)
		default:
			l.accepts.Add(1)
			l.note(time.Since(began))
		}
		time.Sleep(2 * time.Millisecond) // the pace of the load, nothing is waited for
	}
}

func (l *load) note(took time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	times := l.latency[0]
	if l.outage.Load() {
		times = l.latency[1]
	}
	_ = times.RecordValue(took.Microseconds())
}

// interims is how many of them a session of the load has.
const interims = 3

// account begins sessions, reports them and ends them, and gives up on no record
// before it is acknowledged.
func (l *load) account(ctx context.Context, sender int) {
	for number := 0; ctx.Err() == nil; number++ {
		session := fmt.Sprintf("sender%d-%d", sender, number)
		l.record(session, wire.StatusStart, 0)
		for interim := range uint32(interims) {
			l.record(session, wire.StatusInterimUpdate, interim+1)
		}
		l.record(session, wire.StatusStop, interims+1)
		l.sessions.Add(1)
	}
}

func (l *load) record(session string, status, count uint32) {
	attributes := wire.AppendInteger(nil, wire.AcctStatusType, status)
	attributes = wire.AppendText(attributes, wire.AcctSessionID, session)
	attributes = wire.AppendText(attributes, wire.UserName, "sub1")
	attributes = wire.AppendInteger(attributes, wire.AcctInputOctets, count*1000)
	builder := client.Builder{Signer: signer, Random: rand.Reader}
	request, err := builder.Accounting(nil, uint8(count), attributes)
	require.NoError(l.cluster, err)
	for try := mathrand.IntN(2); l.cluster.Context().Err() == nil; try++ {
		server := client.Server{Address: l.cluster.acct[try%2], Signer: signer, Timeout: loadPatience, Tries: 1}
		if _, err := server.Exchange(l.cluster.Context(), request); err == nil {
			l.acknowledged.Add(1)
			return
		}
		time.Sleep(time.Millisecond) // a node that is down answers at once
	}
}

// during runs a fault while the load goes on, for at least so long.
func (l *load) during(name string, lasts time.Duration, begin, end func()) {
	l.outage.Store(true)
	accepts, acknowledged, since := l.accepts.Load(), l.acknowledged.Load(), time.Now()
	begin()
	time.Sleep(lasts) // an outage has to last; nothing is waited for
	l.cluster.nodes[1].within(time.Minute, func() bool { return l.accepts.Load() > accepts }, name+": known subscribers get online")
	l.cluster.nodes[1].within(time.Minute, func() bool { return l.acknowledged.Load() > acknowledged }, name+": accounting is taken")
	l.cluster.Logf("%-45s %5.1f s: %5d accepts, %5d accounting records acknowledged meanwhile", name,
		time.Since(since).Seconds(), l.accepts.Load()-accepts, l.acknowledged.Load()-acknowledged)
	end()
	l.outage.Store(false)
	l.awaitRecovery()
}

var spooledEvents = regexp.MustCompile(`(?m)^radius_accounting_spool_events (\d+)`)

// awaitRecovery waits until both nodes have told the database everything.
func (l *load) awaitRecovery() {
	for _, node := range l.cluster.nodes {
		node.within(2*time.Minute, func() bool {
			_, metrics := node.get("/metrics")
			spooled := spooledEvents.FindStringSubmatch(metrics)
			return spooled != nil && spooled[1] == "0" && strings.Contains(metrics, `radius_standing{state="store"} 1`)
		}, "the store is back, and the spool empty")
	}
}

// The database stops in every way, freezes and cuts its connections, and nodes are
// killed, under steady load. No known subscriber is refused or left alone, and
// what was acknowledged is stored, each record once.
func TestNothingIsLostWhateverHappensToTheDatabase(t *testing.T) {
	lasts, until := 2*time.Second, time.Now()
	if text := os.Getenv(soakVariable); text != "" {
		soak, err := time.ParseDuration(text)
		require.NoError(t, err, soakVariable)
		lasts, until = 20*time.Second, until.Add(soak)
	}
	c := startTwoNodes(t, pgtest.New(t, false))
	l := c.startLoad()
	for round := 0; round == 0 || time.Now().Before(until); round++ {
		c.goThroughFaults(l, lasts)
	}
	l.stop()
	l.senders.Wait()
	l.awaitRecovery()

	assert.Zero(t, l.refused.Load(), "known subscribers were refused")
	assert.Zero(t, l.unanswered.Load(), "known subscribers got no answer from either node")
	c.compareLedger(l)
	for i, when := range []string{"in normal times", "during faults"} {
		times := l.latency[i]
		t.Logf("accepts %s: %d, p50 %d us, p99 %d us, slowest %d us", when, times.TotalCount(),
			times.ValueAtQuantile(50), times.ValueAtQuantile(99), times.Max())
	}
}

func (c *twoNodes) goThroughFaults(l *load, lasts time.Duration) {
	start := func() { c.postgres.Start(c) }
	l.during("database stopped in order", lasts, func() { c.postgres.Stop(c, "fast"); c.nobodyIsDenied() }, start)
	l.during("database crashed", lasts, func() { c.postgres.Stop(c, "immediate") }, start)
	l.during("database frozen", lasts, func() { c.postgres.Freeze(c) }, func() { c.postgres.Thaw(c) })
	l.during("connections cut three times", lasts, func() {
		for range 3 {
			c.postgres.CutConnections(c)
		}
	}, func() {})
	l.during("a node killed", lasts, func() { c.kill(0) }, func() { c.nodes[0].run() })
	l.during("a node killed and started, database stopped", lasts, func() {
		c.postgres.Stop(c, "fast")
		c.kill(1)
		c.nodes[1].run()
		c.nodes[1].log.await(c.nodes[1], "started from a snapshot")
		require.NoError(c, c.login(1, 1, 3*time.Second), "from the snapshot")
	}, start)
}

func (c *twoNodes) kill(number int) {
	require.NoError(c, c.nodes[number].command.Process.Signal(syscall.SIGKILL))
	_ = c.nodes[number].command.Wait() // killed
}

// nobodyIsDenied asks for somebody whom memory does not know: the database might.
func (c *twoNodes) nobodyIsDenied() {
	for i, node := range c.nodes {
		node.within(time.Minute, func() bool {
			return errors.Is(c.loginAs(i, "not yet known", nil, 200*time.Millisecond), client.ErrNoAnswer)
		}, "an unknown subscriber gets no answer, so that the NAS asks its next server")
	}
}

// compareLedger compares what was acknowledged with what is stored.
func (c *twoNodes) compareLedger(l *load) {
	engine := c.open()
	recorded, err := engine.CountAccounting(c.Context())
	require.NoError(c, err)
	assert.EqualValues(c, l.acknowledged.Load(), recorded, "accounting records acknowledged, and stored")

	var sessions, whole int64
	require.NoError(c, engine.EachSession(c.Context(), store.SessionFilter{}, func(session *linegate.Session) error {
		sessions++
		if !session.Open() && session.InputOctets == (interims+1)*1000 {
			whole++
		}
		return nil
	}))
	assert.Equal(c, l.sessions.Load(), sessions, "sessions, none of them twice")
	assert.Equal(c, sessions, whole, "sessions that ended with all they counted")
	c.Logf("acknowledged %d accounting records of %d sessions, stored %d of %d; %d accepts, %d refused, %d unanswered",
		l.acknowledged.Load(), l.sessions.Load(), recorded, sessions, l.accepts.Load(), l.refused.Load(), l.unanswered.Load())
}
