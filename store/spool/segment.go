package spool

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// A segment is a file named after the number of its first event. It begins with
// the title, whose number is that of the format, and a salt; then come records:
//
//	mark      4 octets, the salt's first
//	length    4 octets, of the encoded event, little endian
//	checksum  4 octets, CRC32C of salt, length and event, little endian
//	event
//
// The salt is random and never sent to anybody, so that nothing that a subscriber
// puts into an attribute passes for a record when the one around it is damaged.
const (
	titleStart  = "linegate spool "
	title       = titleStart + "1\n"
	saltSize    = 8
	segmentHead = len(title) + saltSize
	markSize    = 4
	recordHead  = markSize + 4 + 4

	segmentEnding = ".log"
	damagedEnding = ".damaged" // of a segment with records that can't be read
)

type salt [saltSize]byte

func newSalt() (s salt) {
	_, _ = rand.Read(s[:]) // never fails
	return s
}

func (s salt) head() []byte { return append([]byte(title), s[:]...) }

func (s salt) checksum(length, record []byte) uint32 {
	table := crc32.MakeTable(crc32.Castagnoli)
	return crc32.Update(crc32.Update(crc32.Checksum(s[:], table), table, length), table, record)
}

// appendRecord appends a record with the event that fill appends to what it is
// given.
func (s salt) appendRecord(to []byte, fill func([]byte) []byte) ([]byte, error) {
	start := len(to)
	to = append(to, make([]byte, recordHead)...)
	to = fill(to)
	head, event := to[start:start+recordHead], to[start+recordHead:]
	if len(event) > maxRecord {
		return nil, fmt.Errorf("event of %d octets: more than %d", len(event), maxRecord)
	}
	copy(head, s[:markSize])
	binary.LittleEndian.PutUint32(head[markSize:], uint32(len(event)))
	binary.LittleEndian.PutUint32(head[markSize+4:], s.checksum(head[markSize:markSize+4], event))
	return to, nil
}

// whole returns the event of the record that begins at data's start, and where
// the record ends. ok is false when there is none, or a damaged one.
func (s salt) whole(data []byte) (event []byte, end int, ok bool) {
	if len(data) < recordHead || !bytes.HasPrefix(data, s[:markSize]) {
		return nil, 0, false
	}
	length := data[markSize : markSize+4]
	size := binary.LittleEndian.Uint32(length)
	if size > maxRecord || int(size) > len(data)-recordHead {
		return nil, 0, false
	}
	event = data[recordHead : recordHead+int(size)]
	sum := binary.LittleEndian.Uint32(data[markSize+4:])
	return event, recordHead + int(size), sum == s.checksum(length, event)
}

// next returns the first whole record at or behind a place; start is larger than
// that place when something damaged lies before it, and the end of the data when
// nothing whole follows.
func (s salt) next(data []byte, at int) (event []byte, start, end int, ok bool) {
	for start = at; start < len(data); start++ {
		step := bytes.Index(data[start:], s[:markSize])
		if step < 0 {
			break
		}
		start += step
		if event, size, whole := s.whole(data[start:]); whole {
			return event, start, start + size, true
		}
	}
	return nil, len(data), len(data), false
}

// torn reports whether the octets behind the last whole record are what an append
// leaves that was cut off: the beginning of records, or nothing but zeros.
func (s salt) torn(rest []byte) bool {
	if len(bytes.Trim(rest, "\x00")) == 0 {
		return true
	}
	if len(rest) < recordHead {
		return bytes.HasPrefix(rest, s[:min(markSize, len(rest))])
	}
	size := binary.LittleEndian.Uint32(rest[markSize:])
	return bytes.HasPrefix(rest, s[:markSize]) && size <= maxRecord && int(size) > len(rest)-recordHead
}

// segment is what is known of one file.
type segment struct {
	path    string
	first   uint64 // number of its first event
	size    int64  // octets that are durable
	events  int    // that wait in it
	salt    salt
	damaged int // up to where records were found that can't be read; 0: none
}

func segmentPath(folder string, first uint64) string {
	return filepath.Join(folder, fmt.Sprintf("%016x", first)+segmentEnding)
}

// listSegments finds the segments of a folder, in order, with nothing read yet.
func listSegments(folder string) ([]*segment, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	var found []*segment
	for _, entry := range entries {
		digits, isSegment := strings.CutSuffix(entry.Name(), segmentEnding)
		first, err := strconv.ParseUint(digits, 16, 64)
		if !isSegment || err != nil {
			continue
		}
		info, err := entry.Info()
		if err != nil {
			return nil, err
		}
		found = append(found, &segment{path: filepath.Join(folder, entry.Name()), first: first, size: info.Size()})
	}
	slices.SortFunc(found, func(a, b *segment) int { return cmp.Compare(a.first, b.first) })
	return found, nil
}

// leastRecord is less than what any event takes with its head, in octets: its
// fields are more than so many, and each takes one at least.
const leastRecord = recordHead + 24

// count learns from the name of the segment that follows how many events there
// are; no more than have room when somebody has put back an older segment.
func (s *segment) count(following *segment) {
	s.events = int(min(following.first-s.first, uint64(s.size)/leastRecord))
}

var (
	errTornHead = errors.New("ends before its first record")
	errNoHead   = errors.New("does not begin as a segment does")
)

// readHead learns the salt.
func (s *segment) readHead() error {
	file, err := os.Open(s.path)
	if err != nil {
		return err
	}
	defer file.Close()
	head := make([]byte, segmentHead)
	length, err := io.ReadFull(file, head)
	start := head[:min(length, len(title))]
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		if strings.HasPrefix(title, string(start)) || len(bytes.Trim(start, "\x00")) == 0 {
			return errTornHead
		}
		return errNoHead
	case err != nil:
		return err
	case string(start) == title:
		s.salt = salt(head[len(title):])
		return nil
	case bytes.HasPrefix(start, []byte(titleStart)):
		return fmt.Errorf("is of another version of Linegate: format %q, this one knows %q", start[len(titleStart):len(title)-1], "1")
	}
	return errNoHead
}

// read returns the octets from a place up to what is durable.
func (s *segment) read(from int64) ([]byte, error) {
	file, err := os.Open(s.path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	data := make([]byte, s.size-from)
	_, err = file.ReadAt(data, from)
	return data, err
}
