package booking

import (
	"errors"
	"fmt"
	"sync"

	"linegate"
)

// ErrOutdated says that others have written a session since it was read.
var ErrOutdated = errors.New("a session was written by others meanwhile")

const (
	// attempts bound how often a batch is recorded that others come in the way of.
	attempts = 3
	// knownSessions bounds what is known, at some 900 octets each.
	knownSessions = 1 << 17
)

// Known is what this process knows of open sessions from having written them, so that
// most events need not read theirs first. Others may have written them since: the
// write finds out, and then the batch is recorded from what the store holds. Known is
// safe for concurrent use.
type Known struct {
	mu sync.Mutex
	// The sessions of recent writes; when one half is full the other is forgotten.
	recent, older map[Name]known
}

type known struct {
	session *Stored
	alone   bool // the store held no other session of its name
}

// NewKnown returns a Known that knows nothing yet.
func NewKnown() *Known { return &Known{recent: make(map[Name]known)} }

// Record makes the events durable, all or none, and updates the sessions they belong
// to. transaction runs a function in one transaction that locks the NAS of the events,
// and commits when it returns nil.
func (k *Known) Record(events []linegate.AccountingEvent, transaction func(func(Engine) error) error) (err error) {
	for range attempts {
		var written []*book
		err = transaction(func(engine Engine) (err error) {
			written, err = k.recordIn(engine, events)
			return err
		})
		if err == nil {
			k.learn(written)
			return nil
		}
		if !errors.Is(err, ErrOutdated) {
			return err
		}
		k.forget(events)
	}
	return fmt.Errorf("%w: %w", linegate.ErrUnavailable, err)
}

// lookUp fills the pages of events whose session is known, and returns the names of
// the others.
func (k *Known) lookUp(pages map[Name]*page, events []linegate.AccountingEvent) (unknown []Name) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for i := range events {
		name := nameOf(&events[i])
		p, seen := pages[name]
		entry, found := k.find(name)
		switch {
		case seen && p == nil: // unknown already
		case !found || !entry.surelyHolds(&events[i]):
			pages[name], unknown = nil, append(unknown, name)
		case !seen:
			pages[name] = &page{sessions: []*Session{{Session: entry.session.Session, Stored: entry.session}}, whole: entry.alone}
		}
	}
	return unknown
}

func (k *Known) find(name Name) (known, bool) {
	entry, found := k.recent[name]
	if !found {
		entry, found = k.older[name]
	}
	return entry, found
}

// surelyHolds reports whether the event belongs to the session, whatever others of its
// name the store may hold. A Start may begin another one.
func (n known) surelyHolds(event *linegate.AccountingEvent) bool {
	switch {
	case event.Status == linegate.AcctStart:
		return false
	case n.session.SharesAccept(event):
		return true
	}
	return n.alone && n.session.Holds(event) && !event.At.Before(n.session.StartedAt)
}

// learn takes over what was committed: of each name the newest session.
func (k *Known) learn(written []*book) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, b := range written {
		for _, s := range b.changed {
			name := Name{s.NAS, s.AcctSessionID}
			p := b.pages[name]
			if newest := p.sessions[0]; newest.Open() {
				k.keep(name, known{newest.committed(), p.whole && len(p.sessions) == 1})
			} else {
				k.drop(name)
			}
		}
	}
}

// committed is the session as the store holds it once the batch is committed.
func (s *Session) committed() *Stored {
	switch {
	case s.IsNew():
		return &Stored{Session: s.Session}
	case !s.changed:
		return s.Stored
	}
	return &Stored{Session: s.Session, Version: s.Stored.Version + 1}
}

func (k *Known) keep(name Name, entry known) {
	if len(k.recent) >= knownSessions/2 {
		k.recent, k.older = make(map[Name]known, knownSessions/2), k.recent
	}
	k.recent[name] = entry
}

func (k *Known) drop(name Name) {
	delete(k.recent, name)
	delete(k.older, name)
}

// forget makes the sessions of the events be read again.
func (k *Known) forget(events []linegate.AccountingEvent) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for i := range events {
		k.drop(nameOf(&events[i]))
	}
}
