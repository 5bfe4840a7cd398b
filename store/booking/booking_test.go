package booking

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"linegate"
)

// memory is an engine that keeps all in maps and tells what it was asked. What the
// sessions then look like is for storetest to say, on every engine.
type memory struct {
	known    *Known // of the server that record stands for
	sessions map[string]Stored
	recorded map[Key]time.Time
	asked    []string // steps, in order
	keys     int      // asked for
	fails    string   // the step that fails
}

func newMemory() *memory {
	return &memory{known: NewKnown(), sessions: map[string]Stored{}, recorded: map[Key]time.Time{}}
}

// record records as the engines do, in a transaction that keeps nothing when it fails.
func (m *memory) record(events ...linegate.AccountingEvent) error {
	return m.recordBy(m.known, events...)
}

// recordBy is record of a server that knows something else.
func (m *memory) recordBy(k *Known, events ...linegate.AccountingEvent) error {
	return k.Record(events, func(record func(Engine) error) error {
		sessions, recorded := maps.Clone(m.sessions), maps.Clone(m.recorded)
		err := record(m)
		if err != nil {
			m.sessions, m.recorded = sessions, recorded
		}
		return err
	})
}

// stored returns the sessions, newest start first, without what differs from run to run.
func (m *memory) stored() (sessions []linegate.Session) {
	for _, s := range m.sessions {
		s.ID = ""
		sessions = append(sessions, s.Session)
	}
	slices.SortFunc(sessions, func(a, b linegate.Session) int { return b.StartedAt.Compare(a.StartedAt) })
	return sessions
}

// count is how many of the steps it was asked for.
func (m *memory) count(step string) (count int) {
	for _, asked := range m.asked {
		if strings.HasPrefix(asked, step) {
			count++
		}
	}
	return count
}

var errAway = errors.New("away")

func (m *memory) step(format string, args ...any) error {
	step := fmt.Sprintf(format, args...)
	m.asked = append(m.asked, step)
	if m.fails != "" && strings.HasPrefix(step, m.fails) {
		return errAway
	}
	return nil
}

func (m *memory) Sessions(names []Name) (found []*Stored, err error) {
	for _, s := range m.sessions {
		if slices.Contains(names, Name{NAS: s.NAS, AcctSessionID: s.AcctSessionID}) {
			found = append(found, &s)
		}
	}
	slices.SortFunc(found, func(a, b *Stored) int { return b.StartedAt.Compare(a.StartedAt) })
	return found, m.step("sessions of %d", len(names))
}

func (m *memory) Recorded(keys []Key) (map[Key]time.Time, error) {
	found := map[Key]time.Time{}
	for _, key := range keys {
		if at, ok := m.recorded[key]; ok {
			found[key] = at
		}
	}
	m.keys += len(keys)
	return found, m.step("keys %d", len(keys))
}

func (m *memory) Write(entries []Entry, sessions []*Session) error {
	for _, entry := range entries {
		m.recorded[entry.Key] = entry.Event.At
	}
	for _, s := range sessions {
		written := Stored{Session: s.Session}
		if !s.IsNew() {
			if m.sessions[s.ID].Version != s.Stored.Version {
				return errors.Join(m.step("outdated"), ErrOutdated)
			}
			written.Version = s.Stored.Version + 1
		}
		m.sessions[s.ID] = written
	}
	return m.step("write %d and %d", len(entries), len(sessions))
}

func (m *memory) CloseAll(nas linegate.NASKey, at time.Time) error {
	for id, s := range m.sessions {
		if s.Open() && s.StartedAt.Before(at) {
			s.Close(at, linegate.CauseNASReboot)
			m.sessions[id] = Stored{s.Session, s.Version + 1}
		}
	}
	return m.step("close %s", nas.Name)
}

var epoch = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func event(status linegate.AcctStatus, id string, lasted time.Duration, octets uint64) linegate.AccountingEvent {
	return linegate.AccountingEvent{Status: status, AcctSessionID: id, At: epoch.Add(lasted), ReceivedAt: epoch.Add(lasted),
		NAS:         linegate.NASKey{Tenant: "demo", Name: "bng", Address: netip.MustParseAddr("192.0.2.1")},
		SessionTime: uint32(lasted / time.Second), InputOctets: octets}
}

func TestABatchIsReadOnceAndWrittenOnce(t *testing.T) {
	m := newMemory()
	batch := []linegate.AccountingEvent{event(linegate.AcctStart, "a", 0, 0), event(linegate.AcctStart, "b", 0, 0),
		event(linegate.AcctInterim, "a", time.Minute, 10), event(linegate.AcctInterim, "b", time.Minute, 10)}
	require.NoError(t, m.record(batch...))
	assert.Equal(t, []string{"sessions of 2", "write 4 and 2"}, m.asked)
}

func TestOnlyWhatMayBeRecordedIsAskedFor(t *testing.T) {
	m := newMemory()
	require.NoError(t, m.record(event(linegate.AcctStart, "a", 0, 0), event(linegate.AcctInterim, "a", time.Minute, 10)))
	m.asked = nil
	require.NoError(t, m.record(event(linegate.AcctInterim, "a", 2*time.Minute, 20)))
	assert.Equal(t, []string{"write 1 and 1"}, m.asked, "it counts more than was ever recorded")
	m.asked = nil
	require.NoError(t, m.record(event(linegate.AcctInterim, "a", time.Minute, 10)))
	assert.Equal(t, []string{"keys 1", "write 0 and 0"}, m.asked, "it may be one that was sent again")
}

func TestEveryCounterMayTellThatAnEventIsNew(t *testing.T) {
	for name, count := range map[string]func(*linegate.AccountingEvent){
		"session time":   func(e *linegate.AccountingEvent) { e.SessionTime++ },
		"input octets":   func(e *linegate.AccountingEvent) { e.InputOctets++ },
		"output octets":  func(e *linegate.AccountingEvent) { e.OutputOctets++ },
		"input packets":  func(e *linegate.AccountingEvent) { e.InputPackets++ },
		"output packets": func(e *linegate.AccountingEvent) { e.OutputPackets++ },
	} {
		m := newMemory()
		given := event(linegate.AcctInterim, "a", time.Minute, 10)
		require.NoError(t, m.record(given))
		count(&given)
		require.NoError(t, m.record(given))
		assert.Zero(t, m.keys, name)
		assert.Len(t, m.recorded, 2, name)
	}
}

func TestOnAndOffPartABatch(t *testing.T) {
	m := newMemory()
	on := event(linegate.AcctOn, "", time.Minute, 0)
	require.NoError(t, m.record(event(linegate.AcctStart, "a", 0, 0), on, on, event(linegate.AcctStart, "a", time.Hour, 0)))
	assert.Equal(t, []string{"sessions of 1", "write 1 and 1", "keys 1", "write 1 and 0", "close bng", "keys 1"}, m.asked[:6])
	assert.NoError(t, m.record())
}

func TestAnErrorOfTheEngineEndsTheBatch(t *testing.T) {
	for _, step := range []string{"sessions", "keys", "write", "close"} {
		m := newMemory()
		require.NoError(t, m.record(event(linegate.AcctStart, "a", 0, 0)))
		m.fails = step
		on := event(linegate.AcctOn, "", time.Minute, 0)
		assert.ErrorIs(t, m.record(on, event(linegate.AcctStart, "a", 0, 0)), errAway, step)
		m.asked = nil
		if err := m.record(event(linegate.AcctStart, "a", 0, 0)); step != "close" {
			assert.ErrorIs(t, err, errAway, step)
		}
	}
}
