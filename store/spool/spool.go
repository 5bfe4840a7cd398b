// Package spool keeps accounting events on this machine's disk while the store is
// away: an append-only log in segments, whose records have checksums, read from
// the front and removed segment by segment. What Append has confirmed survives
// kill -9 and a power cut. It never grows beyond its bound, never drops what it
// can't read or what the store refuses (both are set aside under names of their
// own), and never talks to a store.
//
// It is our own since the logs that are at hand don't fit: github.com/tidwall/wal
// has no checksums and refuses to open behind a torn write, github.com/rosedblabs/wal
// appends behind one and can't be cut at the front, github.com/hashicorp/raft-wal
// brings a second database for its own state, and those of etcd and Prometheus are
// tied to their records. None keeps a damaged part for people to look at.
package spool

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"linegate"
	"linegate/store"
)

// Options tune a Spool; zero fields get the default.
type Options struct {
	MaxBytes int64        // what all files may take; default 1 GiB, at least 1 MiB
	Logger   *slog.Logger // told of torn and damaged records; default: none
	Clock    func() time.Time
}

// Stats is what a spool tells about itself. Counts grow from when it was opened.
type Stats struct {
	Bytes    int64     // of all files, those set aside included
	MaxBytes int64     // that Bytes never passes
	Events   int       // that wait to be released
	Oldest   time.Time // when the first of them was received; zero: none waits
	Appended uint64
	Released uint64 // those set aside included
	SetAside uint64 // events that the store refused
	Damaged  uint64 // places in segments where records could not be read
	Torn     uint64 // ends of segments that were cut since an append had not been finished
}

// Spool is safe for concurrent use, by one process at a time.
type Spool struct {
	folder       string
	maxBytes     int64
	segmentBytes int64 // a segment that has grown beyond gets a successor
	logger       *slog.Logger
	clock        func() time.Time
	lock         *os.File // held until Close

	mu       sync.Mutex
	segments []*segment // oldest first
	active   *os.File   // the newest, while it takes appends; nil: the next append makes one
	salt     salt       // of the segments that this process makes
	next     uint64     // number of the next event
	front    front
	aside    int64 // octets of what was set aside
	stats    Stats
	snapshot atomic.Pointer[Stats]
}

// Open makes the folder (mode 0700) when it is missing, takes what an earlier
// process left there, and cuts off what that one had not finished. A folder that
// others can reach or that another process uses is an error.
func Open(folder string, options Options) (*Spool, error) {
	s := &Spool{folder: folder, maxBytes: options.MaxBytes, logger: options.Logger, clock: options.Clock, salt: newSalt()}
	if s.maxBytes <= 0 {
		s.maxBytes = 1 << 30
	}
	if s.logger == nil {
		s.logger = slog.New(slog.DiscardHandler)
	}
	if s.clock == nil {
		s.clock = time.Now
	}
	s.segmentBytes = min(max(s.maxBytes/128, 64<<10), 64<<20)
	err := s.takeFolder()
	if err == nil {
		err = s.recover()
	}
	if err == nil {
		err = s.takeBack()
	}
	if err == nil {
		_, err = s.Read(1) // so that Stats knows the oldest
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("spool %s: %w", folder, err), s.Close())
	}
	return s, nil
}

// takeFolder makes the folder and locks it.
func (s *Spool) takeFolder() error {
	if err := os.MkdirAll(filepath.Dir(s.folder), 0o750); err != nil {
		return fmt.Errorf("make folder: %w", err)
	}
	if err := os.Mkdir(s.folder, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("make folder: %w", err)
	}
	info, err := os.Stat(s.folder)
	if err != nil {
		return err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("mode is %04o, others than its owner can reach it: run chmod 700 %s", info.Mode().Perm(), s.folder)
	}
	if s.lock, err = os.OpenFile(filepath.Join(s.folder, "lock"), os.O_CREATE|os.O_RDWR, 0o600); err != nil {
		return err
	}
	if err := unix.Flock(int(s.lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return fmt.Errorf("another process uses it: %w", err)
	}
	return nil
}

// Close lets go of the folder. What waits there stays for the next Open.
func (s *Spool) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var err error
	for _, file := range []*os.File{s.active, s.lock} {
		if file != nil {
			err = errors.Join(err, file.Close())
		}
	}
	s.active, s.lock, s.segments = nil, nil, nil
	return err
}

// Len returns how many events wait to be released.
func (s *Spool) Len() int { return s.Stats().Events }

// Stats never waits for the disk.
func (s *Spool) Stats() Stats { return *s.snapshot.Load() }

// publish shows the present figures to Stats.
func (s *Spool) publish() {
	stats := s.stats
	stats.MaxBytes, stats.Bytes = s.maxBytes, s.bytes()
	stats.Oldest = s.front.received
	for _, segment := range s.segments {
		stats.Events += segment.events
	}
	s.snapshot.Store(&stats)
}

func (s *Spool) bytes() int64 {
	total := s.aside
	for _, segment := range s.segments {
		total += segment.size
	}
	return total
}

// Append makes the events durable, all or none, behind those that wait.
// linegate.ErrSpoolFull says that they don't fit any more.
func (s *Spool) Append(events []linegate.AccountingEvent) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lock == nil {
		return fmt.Errorf("spool is closed: %w", fs.ErrClosed)
	}
	records, err := s.records(events)
	if err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	if s.bytes()+int64(len(records)+segmentHead) > s.maxBytes {
		return fmt.Errorf("spool of %d octets: %w", s.maxBytes, linegate.ErrSpoolFull)
	}
	if err := s.write(records, len(events)); err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	if s.stats.Appended += uint64(len(events)); s.front.received.IsZero() && len(events) > 0 {
		s.front.received = events[0].ReceivedAt
	}
	s.publish()
	return nil
}

func (s *Spool) records(events []linegate.AccountingEvent) (records []byte, err error) {
	records = make([]byte, 0, 256*len(events))
	for i := range events {
		fill := func(to []byte) []byte { return appendEvent(to, &events[i]) }
		if records, err = s.salt.appendRecord(records, fill); err != nil {
			return nil, err
		}
	}
	return records, nil
}

// write puts the records of so many events behind the active segment's, with one
// fsync. After a failure nobody knows what is on disk, so that the segment takes
// no more: the next write makes a new one.
func (s *Spool) write(records []byte, count int) (err error) {
	fresh := s.active == nil
	if fresh {
		if err := s.begin(); err != nil {
			return err
		}
	}
	current := s.segments[len(s.segments)-1]
	_, err = s.active.Write(records)
	if err == nil {
		err = s.active.Sync()
	}
	if err == nil && fresh {
		err = store.SyncFolder(s.folder)
	}
	if err != nil {
		return errors.Join(err, s.abandon(current))
	}
	current.size += int64(len(records))
	current.events += count
	s.next += uint64(count)
	if current.size >= s.segmentBytes {
		s.seal()
	}
	return nil
}

// begin makes a new segment the active one.
func (s *Spool) begin() error {
	fresh := &segment{path: segmentPath(s.folder, s.next), first: s.next, size: int64(segmentHead), salt: s.salt}
	file, err := os.OpenFile(fresh.path, os.O_CREATE|os.O_EXCL|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	if _, err := file.Write(s.salt.head()); err != nil {
		return errors.Join(err, file.Close(), os.Remove(fresh.path))
	}
	s.active = file
	if s.segments = append(s.segments, fresh); len(s.segments) == 1 {
		s.front.enter()
	}
	return nil
}

// seal ends the active segment. Its events are durable, whatever closing says.
func (s *Spool) seal() {
	if s.active != nil {
		_ = s.active.Close()
		s.active = nil
	}
}

// abandon ends the active segment after a failed write. What was written in part
// is cut off; one that holds nothing else goes. Its name is not used again, in case
// it does not go.
func (s *Spool) abandon(current *segment) error {
	s.seal()
	s.next++
	if current.size > int64(segmentHead) {
		return os.Truncate(current.path, current.size)
	}
	s.segments = s.segments[:len(s.segments)-1]
	return os.Remove(current.path)
}
