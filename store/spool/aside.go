package spool

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"linegate"
	"linegate/store"
)

const (
	// refusedName holds the events that the store refuses, one JSON object a line.
	refusedName = "refused.jsonl"
	// againName is what somebody calls a file of refused events that are to be tried
	// again: Open appends them to the spool.
	againName = "again.jsonl"
)

// refused is a line about an event that the store refuses. The event is there for
// people to read; what counts is the record.
type refused struct {
	Time   time.Time                `json:"time"`
	Error  string                   `json:"error"`
	Event  linegate.AccountingEvent `json:"event"`
	Record []byte                   `json:"record"`
}

// SetAside keeps an event that the store refuses, with the reason, in a file next
// to the segments. It counts against MaxBytes.
func (s *Spool) SetAside(event *linegate.AccountingEvent, cause error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	line, err := json.Marshal(refused{s.clock().UTC(), cause.Error(), *event, appendEvent(nil, event)})
	if err != nil {
		return fmt.Errorf("spool: refused event: %w", err)
	}
	if s.bytes()+int64(len(line)) > s.maxBytes {
		return fmt.Errorf("spool of %d octets: no room for a refused event: %w", s.maxBytes, linegate.ErrSpoolFull)
	}
	if err := appendLine(filepath.Join(s.folder, refusedName), line); err != nil {
		return fmt.Errorf("spool: refused event: %w", err)
	}
	s.aside += int64(len(line) + 1)
	s.stats.SetAside++
	s.publish()
	return nil
}

// appendLine makes a line durable at the end of a file.
func appendLine(path string, line []byte) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(append(line, '\n'))
	return errors.Join(err, file.Sync(), file.Close(), store.SyncFolder(filepath.Dir(path)))
}

// keep gives a damaged segment a name of its own, for somebody to look at.
func (s *Spool) keep(segment *segment) error {
	kept := strings.TrimSuffix(segment.path, segmentEnding) + damagedEnding
	if err := os.Rename(segment.path, kept); err != nil {
		return err
	}
	s.aside += segment.size
	return store.SyncFolder(s.folder)
}

// mendRefused cuts off a line that was not finished: its event waits in a segment
// still.
func (s *Spool) mendRefused() error {
	path := filepath.Join(s.folder, refusedName)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if good := bytes.LastIndexByte(text, '\n') + 1; good < len(text) {
		return s.cut(&segment{path: path, size: int64(len(text))}, good)
	}
	return nil
}

// measureAside learns how much was set aside before.
func (s *Spool) measureAside() error {
	if err := s.mendRefused(); err != nil {
		return err
	}
	entries, err := os.ReadDir(s.folder)
	if err != nil {
		return err
	}
	s.aside = 0
	for _, entry := range entries {
		if entry.Name() != refusedName && !strings.HasSuffix(entry.Name(), damagedEnding) {
			continue
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		s.aside += info.Size()
	}
	return nil
}

// takeBack appends the events of againName to the spool.
func (s *Spool) takeBack() error {
	path := filepath.Join(s.folder, againName)
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer file.Close()
	var events []linegate.AccountingEvent
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 8*maxRecord)
	for number := 1; lines.Scan(); number++ {
		var line struct{ Record []byte }
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			return fmt.Errorf("%s:%d: %w", path, number, err)
		}
		event, err := decodeEvent(line.Record)
		if err != nil {
			return fmt.Errorf("%s:%d: %w", path, number, err)
		}
		events = append(events, event)
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := s.Append(events); err != nil {
		return err
	}
	return errors.Join(os.Remove(path), store.SyncFolder(s.folder))
}
