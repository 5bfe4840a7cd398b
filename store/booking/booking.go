// Package booking finds the session that an accounting event belongs to and
// counts each event once, the same way on every engine. It decides from what the
// engine reads for it, and does no IO and no SQL of its own.
package booking

import (
	"fmt"
	"slices"
	"time"

	"linegate"
	"linegate/store"
)

// Engine reads and writes for a batch, within one transaction. While that is under
// way no other may read or write the sessions of the NAS that the batch is about.
type Engine interface {
	// Sessions returns the newest PageSize sessions of each name, those of a name
	// newest start first.
	Sessions(names []Name) ([]*Stored, error)
	// Recorded returns when the events with these keys happened, for those that are
	// recorded.
	Recorded(keys []Key) (map[Key]time.Time, error)
	// Write keeps events, none of which is recorded yet, and sessions that are new or
	// have changed. Before it keeps an event it says ErrOutdated when a session is no
	// longer as Stored says.
	Write(entries []Entry, sessions []*Session) error
	// CloseAll ends the sessions of the NAS that are open and began before at, with
	// linegate.CauseNASReboot.
	CloseAll(nas linegate.NASKey, at time.Time) error
}

// Name is what a NAS calls a session; after a reboot it may mean another.
type Name struct {
	NAS           linegate.NASKey
	AcctSessionID string
}

// Key is equal for an event and its retransmission, see
// linegate.AccountingEvent.RecordKey.
type Key [16]byte

// Entry is an event on its way into the ledger.
type Entry struct {
	Event     *linegate.AccountingEvent
	Key       Key
	SessionID string // empty with On and Off
}

// Stored is a session as the store holds it.
type Stored struct {
	linegate.Session
	Version int64 // how often it was written since it was new, by whomever
}

// Session is a session as the batch leaves it, and how far the store knows it.
type Session struct {
	linegate.Session
	Stored  *Stored // nil: not at all
	changed bool
}

// IsNew reports whether the batch began the session.
func (s *Session) IsNew() bool { return s.Stored == nil }

// OnlyCounts reports whether the batch changed no more of a stored session than its
// counters and how it ended, which is what nearly all events change.
func (s *Session) OnlyCounts() bool {
	return s.StartedAt.Equal(s.Stored.StartedAt) && withoutCounts(s.Session) == withoutCounts(s.Stored.Session)
}

func withoutCounts(s linegate.Session) linegate.Session {
	s.StartedAt, s.UpdatedAt, s.StoppedAt, s.TerminateCause = time.Time{}, time.Time{}, time.Time{}, 0
	s.SessionTime, s.InputOctets, s.OutputOctets, s.InputPackets, s.OutputPackets = 0, 0, 0, 0, 0
	return s
}

// PageSize bounds how far back an event finds its session when a NAS uses one id
// over and over.
const PageSize = 16

// recordIn records the events in one transaction, and returns what it did to their
// sessions. On and Off close what the events before them left open.
func (k *Known) recordIn(engine Engine, events []linegate.AccountingEvent) (written []*book, err error) {
	for len(events) > 0 {
		if events[0].EndsAll() {
			err = endAll(engine, &events[0])
			events = events[1:]
		} else {
			end := slices.IndexFunc(events, func(e linegate.AccountingEvent) bool { return e.EndsAll() })
			if end < 0 {
				end = len(events)
			}
			var b *book
			b, err = k.recordAll(engine, events[:end])
			written, events = append(written, b), events[end:]
		}
		if err != nil {
			return nil, err
		}
	}
	return written, nil
}

// endAll closes what was open on a NAS that went down or came up.
func endAll(engine Engine, event *linegate.AccountingEvent) error {
	key := Key(event.RecordKey(""))
	recorded, err := engine.Recorded([]Key{key})
	if err != nil || len(recorded) > 0 {
		return err
	}
	if err := engine.Write([]Entry{{Event: event, Key: key}}, nil); err != nil {
		return err
	}
	return engine.CloseAll(event.NAS, event.At)
}

// recordAll books events of sessions: what they are about is read once, changed
// in memory, and written at the end.
func (k *Known) recordAll(engine Engine, events []linegate.AccountingEvent) (*book, error) {
	b := &book{pages: make(map[Name]*page, len(events)), entries: make([]Entry, 0, len(events))}
	if err := b.read(engine, k.lookUp(b.pages, events)); err != nil {
		return nil, err
	}
	var err error
	if b.recorded, err = b.readRecorded(engine, events); err != nil {
		return nil, fmt.Errorf("recorded events: %w", err)
	}
	for i := range events {
		b.record(&events[i])
	}
	return b, engine.Write(b.entries, b.changed)
}

// book is one batch on its way into the store.
type book struct {
	pages    map[Name]*page
	changed  []*Session // in the order in which they first did
	recorded map[Key]time.Time
	entries  []Entry
}

// read fills the pages of the names with what the store holds.
func (b *book) read(engine Engine, names []Name) error {
	if len(names) == 0 {
		return nil
	}
	stored, err := engine.Sessions(names)
	if err != nil {
		return err
	}
	for _, name := range names {
		b.pages[name] = &page{whole: true}
	}
	for _, s := range stored {
		if p := b.pages[Name{s.NAS, s.AcctSessionID}]; p != nil {
			p.sessions = append(p.sessions, &Session{Session: s.Session, Stored: s})
		}
	}
	return nil
}

// readRecorded asks for the keys that the events would have. An event that counts
// more than its session ever did can't be recorded, so that in the usual batch
// there is little to ask for.
func (b *book) readRecorded(engine Engine, events []linegate.AccountingEvent) (map[Key]time.Time, error) {
	var keys []Key
	for i := range events {
		for _, session := range b.pages[nameOf(&events[i])].sessions {
			if !outruns(&events[i], &session.Stored.Session) {
				keys = append(keys, events[i].RecordKey(session.ID))
			}
		}
	}
	if len(keys) == 0 {
		return make(map[Key]time.Time), nil
	}
	return engine.Recorded(keys)
}

// outruns reports whether a counter of the event is above the session's, which
// holds the highest of all events recorded for it.
func outruns(event *linegate.AccountingEvent, s *linegate.Session) bool {
	return event.SessionTime > s.SessionTime ||
		event.InputOctets > s.InputOctets || event.OutputOctets > s.OutputOctets ||
		event.InputPackets > s.InputPackets || event.OutputPackets > s.OutputPackets
}

func nameOf(event *linegate.AccountingEvent) Name { return Name{event.NAS, event.AcctSessionID} }

// record finds or begins the event's session, and counts the event unless it was
// recorded before.
func (b *book) record(event *linegate.AccountingEvent) {
	p := b.pages[nameOf(event)]
	if session := p.holder(event); session != nil {
		if b.write(event, session.ID) {
			session.Apply(event)
			b.change(session)
		}
		return
	}
	if b.repeats(event, p) {
		return
	}
	session := &Session{Session: *linegate.NewSession(store.NewID(), event)}
	b.change(session)
	for _, ended := range p.begin(session) {
		b.change(ended)
	}
	b.write(event, session.ID)
}

// change notes that the session has to be written.
func (b *book) change(session *Session) {
	if !session.changed {
		session.changed = true
		b.changed = append(b.changed, session)
	}
}

// write adds the event to what will be kept; isNew is false when it is there already.
func (b *book) write(event *linegate.AccountingEvent, sessionID string) (isNew bool) {
	key := Key(event.RecordKey(sessionID))
	if _, recorded := b.recorded[key]; recorded {
		return false
	}
	b.recorded[key] = event.At
	b.entries = append(b.entries, Entry{Event: event, Key: key, SessionID: sessionID})
	return true
}

// startRepeats is how far apart two Starts that say the same may have happened
// and still be one: Acct-Delay-Time counts whole seconds.
const startRepeats = 2 * time.Second

// repeats reports whether an event that no session holds was nevertheless
// recorded before, for one of the sessions of its name: its time may have been
// told differently. An Interim or Stop that repeats every counter tells nothing
// new; Starts all look alike, so they must have happened at the same time too.
func (b *book) repeats(event *linegate.AccountingEvent, p *page) bool {
	return slices.ContainsFunc(p.sessions, func(s *Session) bool {
		at, recorded := b.recorded[event.RecordKey(s.ID)]
		return recorded && (event.Status != linegate.AcctStart || event.At.Sub(at).Abs() <= startRepeats)
	})
}
