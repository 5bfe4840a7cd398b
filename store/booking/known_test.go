package booking

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"linegate"
)

// told is an event of a session that began at the epoch, unless it is a Start.
func told(status linegate.AcctStatus, id string, lasted time.Duration) linegate.AccountingEvent {
	e := event(status, id, lasted, 0)
	if status == linegate.AcctStart {
		e.SessionTime = 0
	}
	return e
}

func TestASessionThatIsKnownIsNotReadAgain(t *testing.T) {
	ours := linegate.Octets(linegate.AppendClass(nil, linegate.Class{SubscriberID: "0199c3f6-0000-7000-8000-000000000001"}))
	for name, test := range map[string]struct {
		before []linegate.AccountingEvent // each in a batch of its own
		batch  []linegate.AccountingEvent
		reads  int
	}{
		"an Interim, when it is the only one of its name": {
			[]linegate.AccountingEvent{told(linegate.AcctStart, "a", 0)}, []linegate.AccountingEvent{told(linegate.AcctInterim, "a", time.Minute)}, 0},
		"an Interim and the Stop": {
			[]linegate.AccountingEvent{told(linegate.AcctStart, "a", 0)},
			[]linegate.AccountingEvent{told(linegate.AcctInterim, "a", time.Minute), told(linegate.AcctStop, "a", time.Hour)}, 0},
		"a Start": {
			[]linegate.AccountingEvent{told(linegate.AcctStart, "a", 0)}, []linegate.AccountingEvent{told(linegate.AcctStart, "a", time.Hour)}, 1},
		"an Interim before a Start": {
			[]linegate.AccountingEvent{told(linegate.AcctStart, "a", 0)},
			[]linegate.AccountingEvent{told(linegate.AcctInterim, "a", time.Minute), told(linegate.AcctStart, "a", time.Hour), told(linegate.AcctInterim, "a", time.Hour)}, 1},
		"what was told before it began": {
			[]linegate.AccountingEvent{told(linegate.AcctStart, "a", time.Hour)}, []linegate.AccountingEvent{told(linegate.AcctInterim, "a", time.Hour-time.Minute)}, 1},
		"an ended one": {
			[]linegate.AccountingEvent{told(linegate.AcctStart, "a", 0), told(linegate.AcctStop, "a", time.Minute)}, []linegate.AccountingEvent{told(linegate.AcctInterim, "a", 30*time.Second)}, 1},
		"the second of a name, without a Class": {
			[]linegate.AccountingEvent{told(linegate.AcctStart, "a", 0), told(linegate.AcctStart, "a", 24*time.Hour)},
			[]linegate.AccountingEvent{started(told(linegate.AcctInterim, "a", 25*time.Hour), 24*time.Hour)}, 1},
		"the second of a name, with its Class": {
			[]linegate.AccountingEvent{told(linegate.AcctStart, "a", 0), with(ours, told(linegate.AcctStart, "a", 24*time.Hour))},
			[]linegate.AccountingEvent{with(ours, started(told(linegate.AcctInterim, "a", 25*time.Hour), 24*time.Hour))}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			m, fresh := newMemory(), newMemory()
			for _, event := range test.before {
				require.NoError(t, m.record(event))
			}
			m.asked = nil
			require.NoError(t, m.record(test.batch...))
			assert.Equal(t, test.reads, m.count("sessions"))
			for _, event := range append(test.before, test.batch...) {
				require.NoError(t, fresh.recordBy(NewKnown(), event))
			}
			assert.Equal(t, fresh.stored(), m.stored(), "as if nothing had been known")
		})
	}
}

// started has the event tell a start so long after the epoch.
func started(event linegate.AccountingEvent, after time.Duration) linegate.AccountingEvent {
	event.SessionTime -= uint32(after / time.Second)
	return event
}

func with(class linegate.Octets, event linegate.AccountingEvent) linegate.AccountingEvent {
	event.Class = class
	return event
}

func TestWhatOthersWroteMeanwhileIsReadBeforeItIsWritten(t *testing.T) {
	m := newMemory()
	require.NoError(t, m.record(told(linegate.AcctStart, "a", 0)))
	require.NoError(t, m.recordBy(NewKnown(), told(linegate.AcctStop, "a", time.Hour)), "another server")
	m.asked = nil
	require.NoError(t, m.record(told(linegate.AcctInterim, "a", 2*time.Hour)))
	assert.Equal(t, []string{"outdated", "sessions of 1", "write 1 and 1"}, m.asked)
	require.Len(t, m.sessions, 1)
	assert.Equal(t, epoch.Add(time.Hour), m.stored()[0].StoppedAt)
	assert.EqualValues(t, 2*time.Hour/time.Second, m.stored()[0].SessionTime)
}

func TestARestartOfTheNASInABatchEndsWhatIsKnown(t *testing.T) {
	m := newMemory()
	require.NoError(t, m.record(told(linegate.AcctStart, "a", 0)))
	require.NoError(t, m.record(told(linegate.AcctInterim, "a", time.Minute), told(linegate.AcctOn, "", 2*time.Minute), told(linegate.AcctInterim, "a", 3*time.Minute)))
	require.Len(t, m.sessions, 1)
	assert.Equal(t, linegate.CauseNASReboot, m.stored()[0].TerminateCause, "what comes late does not open it again")
	assert.EqualValues(t, 3*time.Minute/time.Second, m.stored()[0].SessionTime)
}

func TestABatchThatOthersAlwaysComeInTheWayOfIsGivenUp(t *testing.T) {
	tries := 0
	err := NewKnown().Record([]linegate.AccountingEvent{told(linegate.AcctStart, "a", 0)}, func(func(Engine) error) error {
		tries++
		return fmt.Errorf("commit: %w", ErrOutdated)
	})
	assert.ErrorIs(t, err, linegate.ErrUnavailable, "it may be recorded later")
	assert.Equal(t, attempts, tries)
}

func TestWhatWasNotCommittedIsNotKnown(t *testing.T) {
	m := newMemory()
	m.fails = "write"
	assert.ErrorIs(t, m.record(told(linegate.AcctStart, "a", 0)), errAway)
	assert.Empty(t, m.known.recent)
}

func TestWhatIsKnownIsBounded(t *testing.T) {
	k := NewKnown()
	for i := range 3 * knownSessions {
		k.keep(Name{AcctSessionID: fmt.Sprint(i)}, known{})
		require.LessOrEqual(t, len(k.recent)+len(k.older), knownSessions)
	}
	_, found := k.find(Name{AcctSessionID: fmt.Sprint(3*knownSessions - 1)})
	assert.True(t, found)
	_, found = k.find(Name{AcctSessionID: fmt.Sprint(3*knownSessions - knownSessions/2 - 1)})
	assert.True(t, found, "of the older half")
	_, found = k.find(Name{AcctSessionID: "0"})
	assert.False(t, found)
}
