package peers

import (
	"errors"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestRatiosAreTakenWithinARound(t *testing.T) {
	kept := newSamples()
	for _, round := range [][2]float64{{10, 60}, {20, 140}, {30, 150}} { // 6, 7 and 5 times less
		kept.add(accept, microseconds, round[0])
		kept.add(acceptUsers, microseconds, round[1])
	}
	less := Row{Name: "users", Figure: accept, Against: acceptUsers, Less: true, Limit: 5}.compare(kept)
	assert.Equal(t, Result{Name: "users", Figure: 20, Against: 140, Unit: microseconds, Ratio: 6, Least: 5, Most: 7, Target: "5 times less", Met: true}, less)

	more := Row{Figure: acceptUsers, Against: accept, Limit: 5.9}.compare(kept)
	assert.Equal(t, 6.0, more.Ratio)
	assert.False(t, more.Met)
	assert.Equal(t, "at most 5.9 times", more.Target)

	alone := Row{Figure: accept, Limit: 20, Unit: microseconds}.compare(kept)
	assert.Equal(t, 20.0, alone.Ratio)
	assert.Zero(t, alone.Against)
	assert.True(t, alone.Met)
	assert.Equal(t, "at most 20 us", alone.Target)
}

func TestWhatCouldNotBeMeasuredIsNotMet(t *testing.T) {
	kept := newSamples()
	kept.add(accept, microseconds, 10)
	kept.fail(acceptSQL, errors.New("the database is away"))
	results := compare([]Row{
		{Name: "sql", Figure: accept, Against: acceptSQL, Less: true, Limit: 50},
		{Name: "start", Figure: startSQLite, Limit: 5, Unit: "s"},
	}, kept)
	assert.Equal(t, "the database is away", results[0].Failed)
	assert.Equal(t, "not measured", results[1].Failed)
	report := &Report{Results: results, Measured: kept.list()}
	assert.Equal(t, 2, report.Missed())
	assert.Equal(t, []Measured{
		{Name: accept, Unit: microseconds, Values: []float64{10}},
		{Name: acceptSQL, Failed: "the database is away"},
	}, report.Measured)
}

func TestMedian(t *testing.T) {
	assert.Zero(t, median(nil))
	assert.Equal(t, 2.0, median([]float64{3, 1, 2}))
	assert.Equal(t, 2.5, median([]float64{4, 1, 2, 3}))
}

func TestTheReportIsATable(t *testing.T) {
	kept := newSamples()
	kept.add(accept, microseconds, 12.345)
	kept.add(echoed, microseconds, 8)
	kept.add(p99, microseconds, 1500)
	kept.fail(acceptSQL, errors.New("no database"))
	selected := []Row{
		{Name: "echo", Work: "beside an echo", Figure: accept, Against: echoed, Limit: 1.6},
		{Name: "p99", Work: "alone", Figure: p99, Limit: 1000, Unit: microseconds},
		{Name: "sql", Work: "beside SQL", Figure: accept, Against: acceptSQL, Less: true, Limit: 50},
	}
	report := &Report{
		At: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Machine: "a machine", CPUs: 2, LoadBefore: 0.5, Versions: []string{"Linegate: 1"},
		Subscribers: 100, Many: 1000, Rounds: 1, Seconds: 4, Results: compare(selected, kept), Measured: kept.list(),
	}
	text := &strings.Builder{}
	require.NoError(t, report.Write(text))
	assert.Equal(t, `2026-01-02, a machine, 2 CPUs, load average 0.50 before the run
Linegate: 1
100 subscribers, many are 1000; medians of 1 rounds of 4 s, CPU time of the server and its database

ROW   LINEGATE  BESIDE  UNIT  RATIO  SPREAD     TARGET             MET           WORK
echo  12.3      8.00    us    1.54   1.54-1.54  at most 1.6 times  yes           beside an echo
p99   1500              us           1500-1500  at most 1000 us    no            alone
sql                                             50 times less      not measured  beside SQL

accept FR sql: no database

1 of 3 targets met
`, text.String())
	assert.ErrorIs(t, report.Write(closedWriter{}), fs.ErrClosed)
}

// closedWriter takes nothing.
type closedWriter struct{}

func (closedWriter) Write([]byte) (int, error) { return 0, fs.ErrClosed }
