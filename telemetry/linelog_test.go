package telemetry

import (
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"linegate"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// strayed is bob's request from a circuit that is not his.
func strayed(circuit string) (*linegate.Request, *linegate.Decision) {
	request := &linegate.Request{NAS: bng, UserName: []byte("bob"), Line: linegate.AccessLine{CircuitID: []byte(circuit)}}
	return request, &linegate.Decision{Reason: linegate.ReasonOption82Mismatch, Subscriber: subscriber(),
		Option82: linegate.Option82Check{Result: linegate.Option82Mismatch, Policy: linegate.Option82Enforce, CircuitIDDiffers: true}}
}

// lineLogged returns what fn makes a LineLog write, and how often it wrote nothing.
func lineLogged(t *testing.T, fn func(*LineLog)) (lines []map[string]any, suppressed float64) {
	t.Helper()
	metrics := NewMetrics()
	lines = logged(t, func(logger *slog.Logger) { fn(NewLineLog(logger, metrics)) })
	return lines, testutil.ToFloat64(metrics.lineEventsSuppressed)
}

func TestWhoAsksAgainFromAWrongLineIsToldOfOnceAMinute(t *testing.T) {
	lines, suppressed := lineLogged(t, func(lines *LineLog) {
		request, decision := strayed("olt1")
		for second := range 60 {
			lines.Decided(t.Context(), request, decision, noon.Add(time.Duration(second)*time.Second))
		}
		lines.Decided(t.Context(), request, decision, noon.Add(lineLogInterval))
	})
	require.Len(t, lines, 4, "two events each")
	assert.NotContains(t, lines[1], "repeated")
	assert.Equal(t, "option82_mismatch", lines[3]["event"])
	assert.EqualValues(t, 59, lines[3]["repeated"])
	assert.EqualValues(t, 59, suppressed)
}

func TestAnotherLineOutcomeOrSubscriberIsToldOfAtOnce(t *testing.T) {
	lines, suppressed := lineLogged(t, func(lines *LineLog) {
		for _, change := range []func(*linegate.Request, *linegate.Decision){
			func(*linegate.Request, *linegate.Decision) {},
			func(r *linegate.Request, _ *linegate.Decision) { r.Line.CircuitID = []byte("olt2") },
			func(r *linegate.Request, _ *linegate.Decision) { r.Line.RemoteID = []byte("olt1") },
			func(_ *linegate.Request, d *linegate.Decision) { d.Option82.Result = linegate.Option82Missing },
			func(_ *linegate.Request, d *linegate.Decision) { d.Reason = linegate.ReasonSuspended },
			func(_ *linegate.Request, d *linegate.Decision) { d.Subscriber.ID = "another" },
		} {
			request, decision := strayed("olt1")
			change(request, decision)
			lines.Decided(t.Context(), request, decision, noon)
		}
	})
	assert.Len(t, lines, 6+5, "an event each, and one more for each mismatch")
	assert.Zero(t, suppressed)
}

func TestAFloodOfWrongLinesLeavesRoomInTheLog(t *testing.T) {
	const flood = 3 * lineLogBurst
	lines, suppressed := lineLogged(t, func(lines *LineLog) {
		for n := range flood {
			request, decision := strayed(fmt.Sprint("olt", n))
			lines.Decided(t.Context(), request, decision, noon)
		}
	})
	assert.Len(t, lines, 2*lineLogBurst)
	assert.EqualValues(t, flood-lineLogBurst, suppressed)
}

func TestEveryCheckIsWrittenWhereThatIsAskedFor(t *testing.T) {
	lines, suppressed := lineLogged(t, func(lines *LineLog) {
		lines.Every(true)
		request, decision := strayed("olt1")
		for range 3 {
			lines.Decided(t.Context(), request, decision, noon)
		}
		decision.Option82 = linegate.Option82Check{Result: linegate.Option82Match}
		lines.Decided(t.Context(), request, decision, noon)
	})
	assert.Len(t, lines, 3*2+1)
	assert.Zero(t, suppressed)
}

func TestWhatIsInOrderIsNoEvent(t *testing.T) {
	lines, suppressed := lineLogged(t, func(lines *LineLog) {
		for _, result := range []linegate.Option82Result{"", linegate.Option82Match, linegate.Option82Ignored} {
			request, decision := strayed("olt1")
			decision.Option82.Result = result
			lines.Decided(t.Context(), request, decision, noon)
		}
	})
	assert.Empty(t, lines)
	assert.Zero(t, suppressed)
}

func TestWhatIsSuppressedDoesNotAllocate(t *testing.T) {
	lines := NewLineLog(slog.New(slog.DiscardHandler), NewMetrics())
	request, decision := strayed("olt1")
	lines.Decided(t.Context(), request, decision, noon)
	assert.Zero(t, testing.AllocsPerRun(100, func() { lines.Decided(t.Context(), request, decision, noon) }))
}
