package spool

import (
	"errors"
	"fmt"
	"os"

	"linegate/store"
)

// recover takes over the segments that an earlier process left. Only the newest
// can have been under way when that ended.
func (s *Spool) recover() error {
	found, err := listSegments(s.folder)
	if err != nil {
		return err
	}
	for i, segment := range found {
		if err := s.admit(segment, i == len(found)-1); err != nil {
			return fmt.Errorf("segment %s: %w", segment.path, err)
		}
	}
	if err := s.measureAside(); err != nil {
		return err
	}
	if err := s.mend(); err != nil {
		return err
	}
	defer s.publish()
	for i, segment := range s.segments[:max(0, len(s.segments)-1)] {
		segment.count(s.segments[i+1])
	}
	s.front.enter()
	return nil
}

// admit takes over one segment, if it is one.
func (s *Spool) admit(segment *segment, newest bool) error {
	err := segment.readHead()
	switch {
	case err == nil:
		s.segments = append(s.segments, segment)
		return nil
	case errors.Is(err, errTornHead) && newest:
		return s.cut(segment, 0)
	case errors.Is(err, errTornHead), errors.Is(err, errNoHead):
		s.damage(segment, 0, int(segment.size), err.Error())
		return s.keep(segment)
	}
	return err
}

// mend finds where the newest segment ends, and cuts off an append that was not
// finished.
func (s *Spool) mend() error {
	// Numbers begin with the time, so that the names of segments that were set aside
	// earlier don't come again.
	s.next = uint64(s.clock().UnixNano())
	if len(s.segments) == 0 {
		return nil
	}
	newest := s.segments[len(s.segments)-1]
	data, err := newest.read(0)
	if err != nil {
		return err
	}
	good := segmentHead
	for {
		_, _, end, found := newest.salt.next(data, good)
		if !found {
			break
		}
		good = end
		newest.events++
	}
	if rest := data[good:]; len(rest) > 0 && newest.salt.torn(rest) {
		if err := s.cut(newest, good); err != nil {
			return err
		}
		newest.size = int64(good)
	}
	if newest.size == int64(segmentHead) {
		s.segments = s.segments[:len(s.segments)-1]
		return errors.Join(os.Remove(newest.path), store.SyncFolder(s.folder))
	}
	s.next = newest.first + uint64(max(1, newest.events)) // a name of its own, even if nothing here can be read
	return nil
}

// cut takes off an append that was not finished, which nobody was told of as
// durable. Nothing before it: the file goes.
func (s *Spool) cut(segment *segment, good int) error {
	s.stats.Torn++
	s.logger.Warn("an unfinished append to the accounting spool is cut off: nothing that was acknowledged is in it",
		"file", segment.path, "octets", segment.size-int64(good))
	if good == 0 {
		return errors.Join(os.Remove(segment.path), store.SyncFolder(s.folder))
	}
	if err := os.Truncate(segment.path, int64(good)); err != nil {
		return err
	}
	file, err := os.OpenFile(segment.path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	return errors.Join(file.Sync(), file.Close())
}
