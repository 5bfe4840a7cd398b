package booking

import (
	"slices"
	"time"

	"linegate"
)

// page holds sessions of one name, newest first, those that the batch began included.
type page struct {
	sessions []*Session
	whole    bool // it holds the newest PageSize of them, not just one that is known
}

// holder returns the session that the event belongs to, or nil. Where several
// would take it, it is the one that began nearest to the event's own start: a
// replayed event of an ended session must not reach its successor.
func (p *page) holder(event *linegate.AccountingEvent) *Session {
	var nearest *Session
	for _, session := range p.sessions {
		if session.Holds(event) && (nearest == nil || session.distance(event) < nearest.distance(event)) {
			nearest = session
		}
	}
	return nearest
}

func (s *Session) distance(event *linegate.AccountingEvent) time.Duration {
	if event.Class != "" && event.Class == s.Class {
		return 0
	}
	return event.StartedAt().Sub(s.StartedAt).Abs()
}

// begin adds a new session, and returns those that it ends: a name means one open
// session at a time, the newest.
func (p *page) begin(session *Session) (ended []*Session) {
	for _, other := range slices.Backward(p.sessions) {
		switch {
		case !other.StartedAt.Before(session.StartedAt):
			session.Close(other.StartedAt, linegate.CauseLostCarrier)
		case !other.Ended():
			other.Close(session.StartedAt, linegate.CauseLostCarrier)
			ended = append(ended, other)
		}
	}
	p.sessions = append(p.sessions, session)
	slices.SortStableFunc(p.sessions, func(a, b *Session) int { return b.StartedAt.Compare(a.StartedAt) })
	return ended
}
