package booking

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"linegate"
)

var (
	epoch = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	box   = linegate.NASKey{Tenant: "demo", Name: "bng", Address: netip.MustParseAddr("192.0.2.1")}
)

// told is an event of a session that began at the epoch, unless it is a Start.
func told(status linegate.AcctStatus, id string, lasted time.Duration) linegate.AccountingEvent {
	event := linegate.AccountingEvent{Status: status, AcctSessionID: id, NAS: box, At: epoch.Add(lasted)}
	if status != linegate.AcctStart {
		event.SessionTime = uint32(lasted / time.Second)
	}
	return event
}

// table is an engine for one name: what others wrote comes in by change.
type table struct {
	stored   []*Stored
	reads    int
	writes   int
	rollBack func()
}

func (e *table) Sessions([]Name) (found []*Stored, err error) {
	e.reads++
	for _, s := range e.stored {
		found = append(found, &Stored{s.Session, s.Version})
	}
	return found, nil
}

func (e *table) Recorded([]Key) (map[Key]time.Time, error) { return map[Key]time.Time{}, nil }

func (e *table) Write(_ []Entry, sessions []*Session) error {
	e.writes++
	for _, s := range sessions {
		if s.IsNew() {
			e.stored = append([]*Stored{{Session: s.Session}}, e.stored...)
			continue
		}
		for _, stored := range e.stored {
			switch {
			case stored.ID != s.ID:
			case stored.Version != s.Stored.Version:
				return ErrOutdated
			default:
				*stored = Stored{s.Session, stored.Version + 1}
			}
		}
	}
	return nil
}

func (e *table) CloseAll(_ linegate.NASKey, at time.Time) error {
	for _, s := range e.stored {
		s.Close(at, linegate.CauseNASReboot)
		s.Version++
	}
	return nil
}

func (e *table) record(k *Known, events ...linegate.AccountingEvent) error {
	return k.Record(events, func(record func(Engine) error) error {
		err := record(e)
		if err != nil && e.rollBack != nil {
			e.rollBack()
		}
		return err
	})
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
			k, engine := NewKnown(), &table{}
			for _, event := range test.before {
				require.NoError(t, engine.record(k, event))
			}
			engine.reads = 0
			require.NoError(t, engine.record(k, test.batch...))
			assert.Equal(t, test.reads, engine.reads)
			fresh := &table{}
			for _, event := range append(test.before, test.batch...) {
				require.NoError(t, fresh.record(NewKnown(), event))
			}
			assert.Equal(t, anonymous(fresh.stored), anonymous(engine.stored), "as if nothing had been known")
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

// anonymous leaves out what differs from run to run.
func anonymous(stored []*Stored) (sessions []linegate.Session) {
	for _, s := range stored {
		session := s.Session
		session.ID = ""
		sessions = append(sessions, session)
	}
	return sessions
}

func TestWhatOthersWroteMeanwhileIsReadBeforeItIsWritten(t *testing.T) {
	k, engine := NewKnown(), &table{}
	require.NoError(t, engine.record(k, told(linegate.AcctStart, "a", 0)))
	require.NoError(t, engine.record(NewKnown(), told(linegate.AcctStop, "a", time.Hour)), "another server")
	engine.reads, engine.writes = 0, 0
	require.NoError(t, engine.record(k, told(linegate.AcctInterim, "a", 2*time.Hour)))
	assert.Equal(t, []int{1, 2}, []int{engine.reads, engine.writes})
	require.Len(t, engine.stored, 1)
	assert.Equal(t, epoch.Add(time.Hour), engine.stored[0].StoppedAt)
	assert.EqualValues(t, 2*time.Hour/time.Second, engine.stored[0].SessionTime)
}

func TestARestartOfTheNASInABatchEndsWhatIsKnown(t *testing.T) {
	k, engine := NewKnown(), &table{}
	require.NoError(t, engine.record(k, told(linegate.AcctStart, "a", 0)))
	before := engine.stored[0].Session
	engine.rollBack = func() { engine.stored = []*Stored{{Session: before}} }
	require.NoError(t, engine.record(k, told(linegate.AcctInterim, "a", time.Minute), told(linegate.AcctOn, "", 2*time.Minute), told(linegate.AcctInterim, "a", 3*time.Minute)))
	require.Len(t, engine.stored, 1)
	assert.Equal(t, linegate.CauseNASReboot, engine.stored[0].TerminateCause, "what comes late does not open it again")
	assert.EqualValues(t, 3*time.Minute/time.Second, engine.stored[0].SessionTime)
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
	k, engine := NewKnown(), &table{}
	assert.ErrorIs(t, k.Record([]linegate.AccountingEvent{told(linegate.AcctStart, "a", 0)}, func(record func(Engine) error) error {
		require.NoError(t, record(engine))
		return linegate.ErrUnavailable
	}), linegate.ErrUnavailable)
	assert.Empty(t, k.recent)
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
