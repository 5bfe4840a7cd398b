package provisioning

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"linegate/provisioning/peertest"
	"linegate/provisioning/voltha"
)

// The mishaps of this matrix happen to the requests of the real clients, and there
// are several requests to a call of a workflow.

const hiccup mishap = "error that passes"

// wireFaults are what the mishaps are to a system.
func wireFaults(grpc bool) map[mishap]peertest.Fault {
	failed, refused := error(errors.New("out of order")), error(errors.New("you may not"))
	if grpc {
		failed, refused = status.Error(codes.Internal, "out of order"), status.Error(codes.PermissionDenied, "you may not")
	}
	return map[mishap]peertest.Fault{
		hiccup: {Err: failed}, refusal: {Err: refused, Status: http.StatusForbidden}, timeout: {Hang: true}, lostAnswer: {Lost: true},
	}
}

// patience is how long a call that gets no answer is waited for, and unhurried how
// long when none is to fail.
const (
	patience  = 1500 * time.Millisecond
	unhurried = time.Minute
)

// request is one that the course makes.
type request struct {
	system string
	at     int // its number among those to the system, from 1 after the order was given
	call   string
}

// reads reports whether the request changes nothing: to whoever asks, all mishaps
// with an answer that does not come are the same then.
func (r request) reads() bool {
	return strings.HasPrefix(r.call, "GET ") || strings.HasPrefix(r.call, "List") || strings.HasPrefix(r.call, "Get")
}

// requests carries the course out without a mishap and returns the requests to try:
// all on the way forward, or those after the turn.
func (b *bench) requests(m *moody, r *reality, c course) (all []request) {
	b.Helper()
	username := c.user("span")
	p := r.settle(username, unhurried)
	var start, turn, end map[string]int
	b.try(m, c, []trial{{
		username: username, label: "no mishap", sure: true,
		mood: mood{Poison: c.turn(), Turned: func() { turn = p.counts() }},
	}}, moments{ready: func() { p.begin(username); start = p.counts() }, ended: func() { end = p.counts() }})
	if !c.back {
		turn = start
	}
	require.NotNil(b, turn, "%s never turned", c)
	for system, faults := range p.faults() {
		for i, call := range faults.Calls()[turn[system]:end[system]] {
			all = append(all, request{system, turn[system] - start[system] + i + 1, call})
		}
	}
	return all
}

// wireTrial is a trial with the fault that is injected.
type wireTrial struct {
	trial
	system string
	fault  peertest.Fault
}

// wireTrials are each request that changes something with each kind of mishap, and
// each that reads with the kinds in turn.
func wireTrials(c course, requests []request, grpc bool) (trials []wireTrial) {
	for _, asked := range requests {
		faults := wireFaults(grpc && asked.system == "voltha")
		for i, what := range slices.Sorted(maps.Keys(faults)) {
			if asked.reads() && i != asked.at%len(faults) {
				continue
			}
			fault := faults[what]
			fault.Skip = asked.at - 1
			trials = append(trials, wireTrial{system: asked.system, fault: fault, trial: trial{
				username: c.user(fmt.Sprint(asked.system, "-", asked.at, "-", i)),
				label:    fmt.Sprintf("%s of %s, request %d to %s", what, asked.call, asked.at, asked.system),
				mood:     mood{Poison: c.turn()},
			}})
		}
	}
	return trials
}

// wireMatrix says whose requests are tried in which plot: those that are not the same
// in a plot before.
type wireMatrix struct {
	where   func(*testing.T) place
	kinds   generation
	systems map[string][]string
}

func wireMatrices() map[string]wireMatrix {
	all := []string{"netbox", "voltha", "genieacs"}
	return map[string]wireMatrix{
		"newest systems": {onPostgres, newest, map[string][]string{
			"provision": all, "change": all, "deprovision": all, "fixed": {"netbox"}, "quarantine": {"netbox"}, offline: {"genieacs"},
		}},
		"oldest systems": {onPostgres, oldest, map[string][]string{
			"provision": {"netbox", "voltha"}, "change": {"voltha"}, "deprovision": {"voltha"},
		}},
		"SQLite": {onSQLite, newest, map[string][]string{"deprovision": {"netbox"}}},
	}
}

// Every request of the real clients, on the way forward and on the way back, fails, is
// refused, is left without an answer, or is carried out without the answer arriving.
// Suspending and resuming ask none of these systems anything.
func TestEveryRequestThatGoesWrongEndsDoneOrUndone(t *testing.T) {
	for name, matrix := range wireMatrices() {
		t.Run(name, func(t *testing.T) {
			m := newMoody()
			r := newReality(t, matrix.kinds)
			b := newBenchIn(t, matrix.where(t), r, m.adjust)
			var cases atomic.Int32
			t.Cleanup(func() { t.Logf("%d cases", cases.Load()) })
			for _, c := range courses() {
				if systems := matrix.systems[c.name]; systems != nil {
					t.Run(c.String(), func(t *testing.T) {
						t.Parallel()
						cases.Add(b.on(t).disturb(m, r.on(t), c, systems))
					})
				}
			}
		})
	}
}

// disturb tries every mishap at every request to the systems, and returns how many
// cases that were.
func (b *bench) disturb(m *moody, r *reality, c course, systems []string) int32 {
	b.scene = r
	requests := slices.DeleteFunc(b.requests(m, r, c), func(asked request) bool { return !slices.Contains(systems, asked.system) })
	trials := wireTrials(c, requests, r.Backend == voltha.BackendCore)
	plain := make([]trial, len(trials))
	for i, now := range trials {
		plain[i] = now.trial
		r.settle(now.username, patience)
	}
	b.try(m, c, plain, moments{
		ready: func() {
			for _, now := range trials {
				p := r.of(now.username)
				p.begin(now.username)
				p.faults()[now.system].Inject(now.fault)
			}
		},
		ended: func() {
			for _, now := range trials {
				assert.Zero(b, r.of(now.username).faults()[now.system].Pending(), "%s: %s: it never happened", c, now.label)
			}
		},
	})
	return int32(len(trials))
}
