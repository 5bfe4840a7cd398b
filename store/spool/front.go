package spool

import (
	"errors"
	"fmt"
	"os"
	"time"

	"linegate"
	"linegate/store"
)

// front is the place of the oldest event that waits: in the first segment, which
// is held in memory as far as it was read.
type front struct {
	data     []byte
	at       int       // where its record begins, or something damaged before it
	received time.Time // of the event, as far as known
	read     []waiting // what Read returned last
}

// waiting is an event that was read and not released.
type waiting struct {
	end      int // of its record
	received time.Time
}

// enter goes to the beginning of a segment.
func (f *front) enter() { *f = front{at: segmentHead} }

// Read returns the oldest events that wait, at most limit, in the order they were
// appended; none when none waits. They wait until they are released: reading
// again returns them again. It may return fewer than limit although more wait.
func (s *Spool) Read(limit int) ([]linegate.AccountingEvent, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.publish()
	for len(s.segments) > 0 {
		if err := s.load(); err != nil {
			return nil, fmt.Errorf("spool: %w", err)
		}
		if events := s.collect(limit); len(events) > 0 {
			s.front.received = events[0].ReceivedAt
			return events, nil
		}
		if err := s.retire(); err != nil {
			return nil, fmt.Errorf("spool: %w", err)
		}
	}
	return nil, nil
}

// load brings what the first segment holds into memory.
func (s *Spool) load() error {
	first := s.segments[0]
	have := int64(len(s.front.data))
	if have >= first.size {
		return nil
	}
	more, err := first.read(have)
	if err != nil {
		return err
	}
	s.front.data = append(s.front.data, more...)
	return nil
}

// collect reads the records at the front, passing over what is damaged.
func (s *Spool) collect(limit int) (events []linegate.AccountingEvent) {
	first, f := s.segments[0], &s.front
	f.read = f.read[:0]
	for at := f.at; at < len(f.data) && len(events) < limit; {
		record, start, end, found := first.salt.next(f.data, at)
		if start > at {
			s.damage(first, at, start, "checksum or form is wrong")
		}
		at = end
		if !found {
			break
		}
		event, err := decodeEvent(record)
		if err != nil {
			s.damage(first, start, end, err.Error())
			continue
		}
		events = append(events, event)
		f.read = append(f.read, waiting{end, event.ReceivedAt})
	}
	return events
}

// damage notes, once, that a part of the segment can't be read. The segment will
// be kept.
func (s *Spool) damage(in *segment, from, to int, cause string) {
	if to <= in.damaged {
		return
	}
	in.damaged = to
	s.stats.Damaged++
	s.logger.Error("a part of the accounting spool can't be read: its segment will be kept, the rest goes on",
		"segment", in.path, "from", from, "to", to, "cause", cause)
}

// Release lets go of the first count events that Read returned last: they are
// durable elsewhere. A segment is removed when all of it is released; after a
// crash one that was released in part is read again from its beginning.
func (s *Spool) Release(count int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.publish()
	f := &s.front
	if count = min(count, len(f.read)); count > 0 {
		f.at = f.read[count-1].end
		s.segments[0].events = max(0, s.segments[0].events-count)
		f.read = append(f.read[:0], f.read[count:]...)
		s.stats.Released += uint64(count)
	}
	if len(f.read) > 0 {
		f.received = f.read[0].received
	}
	if len(s.segments) == 0 || int64(f.at) < s.segments[0].size {
		return nil
	}
	if err := s.retire(); err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	return nil
}

// retire takes the first segment away, or keeps it under another name when it is
// damaged.
func (s *Spool) retire() error {
	first := s.segments[0]
	if len(s.segments) == 1 {
		s.seal()
	}
	var err error
	if first.damaged > 0 {
		err = s.keep(first)
	} else {
		err = os.Remove(first.path)
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if s.segments = s.segments[1:]; len(s.segments) > 0 {
		received := s.front.received
		s.front.enter()
		s.front.received = received // a little too old until the next Read
	} else {
		s.front = front{}
	}
	return store.SyncFolder(s.folder)
}
