package provisioning

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/rpc"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"linegate"
	"linegate/provisioning/peertest"
)

// The kill tests run engines in processes of their own and kill them. The foreign
// systems stay in the test's process, where the children reach them: the world by
// remote calls, the fakes as the real ones are reached.

// killErrand says to a child that it is one, and what it has to do.
const killErrand = "LINEGATE_TEST_KILL"

// TestMain is the child when a test says so.
func TestMain(m *testing.M) {
	if text := os.Getenv(killErrand); text != "" {
		if err := child(context.Background(), text); err != nil {
			fmt.Println("FAILED:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// errand is what children have to do: the orders of one course.
type errand struct {
	Place  place
	Host   string // where the world is
	Plot   string
	Orders []killedOrder
}

// killedOrder is one order, in which a child is killed once.
type killedOrder struct {
	Username string
	Mood     mood
	Systems  *endpoints // the subscriber's own; nil: the world
}

// Host is what children see of the test's process.
type Host struct {
	world  *world
	mu     sync.Mutex
	killed map[string]bool
}

// Ask is one call of a child.
type Ask struct {
	Method string
	Said   asked
}

// Answer is what a call came to.
type Answer struct {
	Told    told
	Failure *failure
}

// Call answers a child's call.
func (h *Host) Call(ask Ask, answer *Answer) error {
	t, err := h.world.handle(context.Background(), ask.Method, ask.Said)
	answer.Told = t
	if err != nil {
		answer.Failure = classify(err)
	}
	return nil
}

// MayKill reports once for each username that its process may be killed.
func (h *Host) MayKill(username string, may *bool) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	*may = !h.killed[username]
	h.killed[username] = true
	return nil
}

// child works through the orders that are left. It is killed in most of them, and the
// next child takes up what it left.
func child(ctx context.Context, text string) error {
	var todo errand
	if err := json.Unmarshal([]byte(text), &todo); err != nil {
		return err
	}
	host, err := rpc.Dial("tcp", todo.Host)
	if err != nil {
		return err
	}
	defer host.Close()
	opened, sealer, err := todo.Place.open(ctx)
	if err != nil {
		return err
	}
	defer opened.Close()
	handle, err := todo.systems(host)
	if err != nil {
		return err
	}
	m, p := newMoody(), plotNamed(todo.Plot)
	m.kill = func() { _ = syscall.Kill(os.Getpid(), syscall.SIGKILL); select {} }
	m.once = func(username string) (may bool) { return host.Call("Host.MayKill", username, &may) == nil && may }
	options := optionsFor(todo.Place, opened, sealer, handle)
	m.adjust(&options)
	for _, order := range todo.Orders { // before the engine takes anything up
		m.watch(p, order.Username, order.Mood)
	}
	engine, err := Open(ctx, options)
	if err != nil {
		return err
	}
	for _, order := range todo.Orders {
		if err := finish(ctx, engine, p.order(order.Username)); err != nil {
			return err
		}
	}
	return engine.Close()
}

// systems answers for the world of the host, or for the systems of each subscriber.
func (e errand) systems(host *rpc.Client) (handler, error) {
	own := map[string]*clients{}
	for _, order := range e.Orders {
		if order.Systems == nil {
			continue
		}
		connected, err := order.Systems.connect()
		if err != nil {
			return nil, err
		}
		own[order.Username], own[serviceOf(order.Username)] = connected, connected
	}
	return func(ctx context.Context, method string, a asked) (told, error) {
		if connected := own[a.subject()]; connected != nil {
			return connected.handle(ctx, method, a)
		}
		var answer Answer
		if err := host.Call("Host.Call", Ask{method, a}, &answer); err != nil {
			return told{}, err
		}
		if answer.Failure != nil {
			return answer.Told, answer.Failure
		}
		return answer.Told, nil
	}, nil
}

// finish carries out one order, or what is left of it, and prints how it ended.
func finish(ctx context.Context, engine *Engine, order linegate.Order) error {
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	id, err := engine.Submit(ctx, order)
	if err != nil {
		return err
	}
	standing, err := ending(ctx, engine, id)
	if err == nil {
		fmt.Println("ENDED", order.Username, standing.State)
	}
	return err
}

// A process is killed before and after every call of every workflow, on the way
// forward and on the way back, and the next goes on where it stopped: on SQLite at
// both places of each call, on PostgreSQL at one of them.
func TestAKilledProcessGoesOnInTheRightDirection(t *testing.T) {
	program := buildChild(t)
	for name, where := range map[string]func(*testing.T) place{"PostgreSQL": onPostgres, "SQLite": onSQLite} {
		t.Run(name, func(t *testing.T) {
			var kills atomic.Int32
			t.Cleanup(func() { t.Logf("%d kills", kills.Load()) })
			for _, c := range courses() {
				t.Run(c.String(), func(t *testing.T) {
					t.Parallel()
					kills.Add(killAtCalls(t, program, c, where(t), name == "SQLite"))
				})
			}
		})
	}
}

// killAtCalls kills at the calls of a course, at both places or in turn, and returns
// how often.
func killAtCalls(t *testing.T, program string, c course, where place, both bool) int32 {
	m, w := newMoody(), newWorld()
	b := newBenchIn(t, where, w, m.adjust)
	first, last := b.span(m, c)
	var orders []killedOrder
	for at := first; at <= last; at++ {
		for i, what := range []mishap{killBefore, killAfter} {
			if both || i == at%2 {
				username := c.user(fmt.Sprint("kill-", at, "-", i))
				orders = append(orders, killedOrder{Username: username, Mood: mood{At: at, Mishap: what, Poison: c.turn()}})
			}
		}
	}
	host := &Host{world: w, killed: map[string]bool{}}
	kills := b.killIn(c, host, orders, &processes{program: program})
	for _, order := range orders {
		assert.True(t, host.killed[order.Username], "%s: %s %d: it was killed", c, order.Mood.Mishap, order.Mood.At)
	}
	return kills
}

// A process is killed as soon as a system got a request that changes something: the
// system carries it out, and nobody is there for the answer.
func TestAKilledProcessFindsWhatItsRequestsDid(t *testing.T) {
	program := buildChild(t)
	var kills atomic.Int32
	t.Cleanup(func() { t.Logf("%d kills", kills.Load()) })
	for _, c := range courses() {
		if systems := wireMatrices()["newest systems"].systems[c.name]; systems != nil {
			t.Run(c.String(), func(t *testing.T) {
				t.Parallel()
				kills.Add(killAtRequests(t, program, c, systems))
			})
		}
	}
}

// killAtRequests kills at the requests of a course to some systems, and returns how
// often.
func killAtRequests(t *testing.T, program string, c course, systems []string) int32 {
	m, r := newMoody(), newReality(t, newest)
	b := newBenchIn(t, onPostgres(t), r, m.adjust)
	running := &processes{program: program}
	var orders []killedOrder
	var inject []func()
	for _, asked := range b.requests(m, r, c) {
		if asked.reads() || !slices.Contains(systems, asked.system) {
			continue
		}
		username := c.user(fmt.Sprint("kill-", asked.system, "-", asked.at))
		p := r.settle(username, unhurried)
		orders = append(orders, killedOrder{Username: username, Mood: mood{Poison: c.turn()}, Systems: &p.at})
		inject = append(inject, func() {
			p.begin(username)
			p.faults()[asked.system].Inject(peertest.Fault{Skip: asked.at - 1, Do: running.kill})
		})
	}
	running.ready = func() {
		for _, one := range inject {
			one()
		}
	}
	kills := b.killIn(c, &Host{}, orders, running)
	assert.Equal(t, int32(len(orders)), kills, "every request had its kill")
	return kills
}

// buildChild builds this test again, without the race detector: a few hundred
// processes start, and the other tests look for races.
func buildChild(t *testing.T) (program string) {
	program = filepath.Join(t.TempDir(), "child")
	said, err := exec.CommandContext(t.Context(), "go", "test", "-c", "-o", program, ".").CombinedOutput()
	require.NoError(t, err, "%s", said)
	return program
}

// killIn has the orders carried out by processes that are killed in each of them, and
// returns how many were.
func (b *bench) killIn(c course, host *Host, orders []killedOrder, running *processes) (kills int32) {
	b.Helper()
	before, usernames := map[string]trace{}, make([]string, len(orders))
	for i, order := range orders {
		usernames[i] = order.Username
	}
	b.prepare(c.plot, usernames)
	r := b.records()
	for _, username := range usernames {
		before[username] = b.trace(r, username)
	}
	require.NoError(b, b.engine.Close())
	if running.ready != nil {
		running.ready()
	}
	text, err := json.Marshal(errand{b.place, serveHost(b.T, host), c.name, orders})
	require.NoError(b, err)
	ended, kills := running.until(b.T, string(text))
	r = b.records()
	for _, order := range orders {
		label := fmt.Sprintf("%s: %s %s %d", c, order.Username, order.Mood.Mishap, order.Mood.At)
		b.checkEnd(r, c.plot, order.Username, before[order.Username], ended[order.Username], label)
		assert.Equal(b, c.end(), ended[order.Username], label)
	}
	return kills
}

// serveHost lets children call the host.
func serveHost(t *testing.T, host *Host) string {
	server := rpc.NewServer()
	require.NoError(t, server.Register(host))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	accepted := make(chan struct{})
	go func() {
		defer close(accepted)
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			go server.ServeConn(connection) // until the child is gone
		}
	}()
	t.Cleanup(func() { listener.Close(); <-accepted })
	return listener.Addr().String()
}

// processes are children, one after the other.
type processes struct {
	program string
	ready   func() // called before the first starts; nil: nobody is
	current atomic.Pointer[os.Process]
}

// kill kills the one that runs.
func (p *processes) kill() { _ = p.current.Load().Kill() }

// until starts one process after the other until one gets through, and returns how the
// orders ended, and how many processes were killed.
func (p *processes) until(t *testing.T, errand string) (ended map[string]linegate.OrderState, kills int32) {
	ended = map[string]linegate.OrderState{}
	for {
		command := exec.CommandContext(t.Context(), p.program)
		command.Env = append(os.Environ(), killErrand+"="+errand)
		command.WaitDelay = time.Minute
		var output bytes.Buffer
		command.Stdout, command.Stderr = &output, &output
		require.NoError(t, command.Start())
		p.current.Store(command.Process)
		err := command.Wait()
		lines := bufio.NewScanner(&output)
		for lines.Scan() {
			if words := strings.Fields(lines.Text()); len(words) == 3 && words[0] == "ENDED" {
				ended[words[1]] = linegate.OrderState(words[2])
			}
		}
		if err == nil {
			return ended, kills
		}
		var exit *exec.ExitError
		require.True(t, errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL, "%v: %s", err, output.String())
		kills++
	}
}
