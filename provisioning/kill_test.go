package provisioning

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/rpc"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"linegate"
)

// The kill tests run engines in processes of their own and kill them. The world
// stays in the test's process: the children reach it as a client reaches a server.

// killWork is what a child has to do: the cases of one plot and direction.
const killWork = "LINEGATE_TEST_KILL"

// TestMain is the child when a test says so.
func TestMain(m *testing.M) {
	if work := os.Getenv(killWork); work != "" {
		if err := child(context.Background(), work); err != nil {
			fmt.Println("FAILED:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// Host is the world as children see it.
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

// child works through the cases that are left. It is killed in most of them, and
// the next child takes up what it left.
func child(ctx context.Context, work string) error {
	var folder, address, name, poison string
	var first, last int
	if _, err := fmt.Sscanf(work, "%q %q %q %q %d %d", &folder, &address, &name, &poison, &first, &last); err != nil {
		return err
	}
	host, err := rpc.Dial("tcp", address)
	if err != nil {
		return err
	}
	defer host.Close()
	opened, sealer, err := openStore(ctx, folder)
	if err != nil {
		return err
	}
	defer opened.Close()
	m := newMoody()
	m.kill = func() { _ = syscall.Kill(os.Getpid(), syscall.SIGKILL); select {} }
	m.once = func(username string) (may bool) { return host.Call("Host.MayKill", username, &may) == nil && may }
	remote := func(_ context.Context, method string, a asked) (told, error) {
		var answer Answer
		if err := host.Call("Host.Call", Ask{method, a}, &answer); err != nil {
			return told{}, err
		}
		if answer.Failure != nil {
			return answer.Told, answer.Failure
		}
		return answer.Told, nil
	}
	options := Options{
		Database: "sqlite:" + filepath.Join(folder, "linegate.db"), Profiles: profiles{opened}, Book: opened, Sealer: sealer,
		Addresses: addressPort{remote}, ONU: onuPort{remote}, CPE: cpePort{remote}, Changes: changePort{remote}, Timing: quick(),
	}
	m.adjust(&options)
	p := plotNamed(name)
	for i, what := range killCases(first, last) { // before the engine takes anything up
		username := killedName(p, poison, i)
		m.watch(username, OrderID(p.order(username)), []string{serviceID(tenant + "/p-" + username)}, mood{At: what.at, Mishap: what.mishap, Poison: poison})
	}
	engine, err := Open(ctx, options)
	if err != nil {
		return err
	}
	for i := range killCases(first, last) {
		if err := runKilled(ctx, engine, p, killedName(p, poison, i)); err != nil {
			return err
		}
	}
	return engine.Close()
}

// runKilled carries out one case, or what is left of it, and prints how it ended.
func runKilled(ctx context.Context, engine *Engine, p plot, username string) error {
	id, err := engine.Submit(ctx, p.order(username))
	for err == nil {
		var standing Standing
		if standing, err = engine.Await(ctx, id); err == nil && standing.State != linegate.OrderStuck {
			fmt.Println("ENDED", username, standing.State)
			return nil
		}
	}
	return err
}

type killCase struct {
	at     int
	mishap mishap
}

func killCases(first, last int) (cases []killCase) {
	for at := first; at <= last; at++ {
		cases = append(cases, killCase{at, killBefore}, killCase{at, killAfter})
	}
	return cases
}

func killedName(p plot, poison string, i int) string {
	return fmt.Sprintf("killed-%s-%d-%d", p.name, len(poison), i)
}

func plotNamed(name string) plot {
	for _, p := range plots() {
		if p.name == name {
			return p
		}
	}
	return plot{}
}

// A process is killed before and after every call of every workflow, on the way
// forward and on the way back. The next process goes on where it stopped.
func TestAKilledProcessGoesOnInTheRightDirection(t *testing.T) {
	var cases, kills atomic.Int32
	t.Cleanup(func() { t.Logf("%d cases, %d kills", cases.Load(), kills.Load()) })
	program := buildChild(t)
	for _, p := range plots() {
		for _, poison := range []string{"", p.poison} {
			t.Run(p.name+turned(poison), func(t *testing.T) {
				t.Parallel()
				some, killed := killEverywhere(t, program, p, poison)
				cases.Add(some)
				kills.Add(killed)
			})
		}
	}
}

// buildChild builds this test again, without the race detector: a few hundred
// processes start, and the other tests look for races.
func buildChild(t *testing.T) (program string) {
	program = filepath.Join(t.TempDir(), "child")
	said, err := exec.CommandContext(t.Context(), "go", "test", "-c", "-o", program, ".").CombinedOutput()
	require.NoError(t, err, "%s", said)
	return program
}

func killEverywhere(t *testing.T, program string, p plot, poison string) (cases, kills int32) {
	m := newMoody()
	b := newBench(t, m.adjust)
	require.NoError(t, furnishBusiness(t.Context(), b.store))
	first, last := b.span(m, p, poison)
	before := map[string]trace{}
	for i := range killCases(first, last) {
		username := killedName(p, poison, i)
		b.prepare(p, username)
		before[username] = traceOf(t.Context(), t, b.store, b.world, username)
	}
	require.NoError(t, b.engine.Close())

	host := &Host{world: b.world, killed: map[string]bool{}}
	address := serveHost(t, host)
	ended, kills := runChildren(t, program, fmt.Sprintf("%q %q %q %q %d %d", b.folder, address, p.name, poison, first, last))
	for i, what := range killCases(first, last) {
		cases++
		username := killedName(p, poison, i)
		label := fmt.Sprintf("%s%s: %s %d", p.name, turned(poison), what.mishap, what.at)
		assert.True(t, host.killed[username], "%s: it was killed", label)
		checkEnd(t.Context(), t, b.store, b.world, p, username, before[username], ended[username], label)
		want := linegate.OrderDone
		if poison != "" {
			want = linegate.OrderUndone
		}
		assert.Equal(t, want, ended[username], label)
	}
	return cases, kills
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

// runChildren starts one process after the other until one gets through, and
// returns how the orders ended, and how many processes were killed.
func runChildren(t *testing.T, program, work string) (ended map[string]linegate.OrderState, kills int32) {
	ended = map[string]linegate.OrderState{}
	for {
		command := exec.CommandContext(t.Context(), program)
		command.Env = append(os.Environ(), killWork+"="+work)
		command.WaitDelay = time.Minute
		var output bytes.Buffer
		command.Stdout, command.Stderr = &output, &output
		err := command.Run()
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
