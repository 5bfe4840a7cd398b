package spool

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"linegate"
)

// received is when event 0 was received; each one after it came a second later.
var received = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

// numbered returns the events from one number up to another.
func numbered(from, to int) (events []linegate.AccountingEvent) {
	for i := from; i < to; i++ {
		at := received.Add(time.Duration(i) * time.Second)
		events = append(events, linegate.AccountingEvent{AcctSessionID: fmt.Sprint(i), At: at, ReceivedAt: at})
	}
	return events
}

func open(t *testing.T, folder string, options Options) *Spool {
	t.Helper()
	s, err := Open(folder, options)
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// drain replays the spool in batches and returns what it held.
func drain(t *testing.T, s *Spool) (events []linegate.AccountingEvent) {
	t.Helper()
	for {
		batch, err := s.Read(7)
		require.NoError(t, err)
		if len(batch) == 0 {
			return events
		}
		events = append(events, batch...)
		require.NoError(t, s.Release(len(batch)))
	}
}

// segments returns the paths of the segments, oldest first.
func segments(t *testing.T, folder string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(folder, "*"+segmentEnding))
	require.NoError(t, err)
	return paths
}

// written makes a folder with one closed segment of so many events.
func written(t *testing.T, count int) (folder, path string) {
	t.Helper()
	folder = filepath.Join(t.TempDir(), "spool")
	s := open(t, folder, Options{})
	for i := range count {
		require.NoError(t, s.Append(numbered(i, i+1)))
	}
	require.NoError(t, s.Close())
	require.Len(t, segments(t, folder), 1)
	return folder, segments(t, folder)[0]
}

// edit changes the octets of a file.
func edit(t *testing.T, path string, change func([]byte) []byte) {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, change(data), 0o600))
}

func TestWhatIsAppendedComesBackInOrderOnce(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "made", "spool")
	s := open(t, folder, Options{})
	require.NoError(t, s.Append(numbered(0, 10)))
	require.NoError(t, s.Append(numbered(10, 25)))
	assert.Equal(t, received, s.Stats().Oldest)
	assert.Equal(t, numbered(0, 25), drain(t, s))
	assert.Empty(t, segments(t, folder), "nothing is left behind")
	stats := s.Stats()
	assert.Equal(t, Stats{MaxBytes: 1 << 30, Appended: 25, Released: 25}, stats)
	require.NoError(t, s.Append(numbered(25, 26)))
	assert.Equal(t, numbered(25, 26), drain(t, s))
}

func TestReadingTakesNothingAwayAndReleaseTakesWhatItSays(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "spool"), Options{})
	require.NoError(t, s.Append(numbered(0, 10)))
	for _, expected := range [][]linegate.AccountingEvent{numbered(0, 4), numbered(0, 4)} {
		events, err := s.Read(4)
		require.NoError(t, err)
		assert.Equal(t, expected, events)
	}
	require.NoError(t, s.Release(3))
	assert.Equal(t, 7, s.Len())
	assert.Equal(t, received.Add(3*time.Second), s.Stats().Oldest)
	require.NoError(t, s.Release(5), "only what was read can be released")
	assert.Equal(t, 6, s.Len())
	require.NoError(t, s.Append(numbered(10, 12)))
	assert.Equal(t, numbered(4, 12), drain(t, s))
}

func TestFilesAreTheOwnersAlone(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "spool")
	s := open(t, folder, Options{})
	require.NoError(t, s.Append(numbered(0, 1)))
	require.NoError(t, s.SetAside(&numbered(0, 1)[0], errors.New("no")))
	info, err := os.Stat(folder)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o700), info.Mode().Perm())
	entries, err := os.ReadDir(folder)
	require.NoError(t, err)
	require.Len(t, entries, 3)
	for _, entry := range entries {
		info, err := entry.Info()
		require.NoError(t, err)
		assert.Equal(t, os.FileMode(0o600), info.Mode().Perm(), entry.Name())
	}
}

func TestAFolderThatOthersReachOrUseIsRefused(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "spool")
	first := open(t, folder, Options{})
	_, err := Open(folder, Options{})
	assert.ErrorContains(t, err, "another process uses it")
	require.NoError(t, first.Close())
	require.NoError(t, os.Chmod(folder, 0o750))
	_, err = Open(folder, Options{})
	assert.ErrorContains(t, err, "run chmod 700 "+folder)
	require.NoError(t, os.Chmod(folder, 0o700))
	open(t, folder, Options{})
	_, err = Open("/dev/null/spool", Options{})
	assert.Error(t, err)
	_, err = Open("/dev/null", Options{})
	assert.Error(t, err)
	assert.ErrorIs(t, first.Append(numbered(0, 1)), os.ErrClosed)
}

func TestAFullSpoolTakesNothingUntilSomethingIsReleased(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "spool")
	s := open(t, folder, Options{MaxBytes: 1 << 20})
	taken := 0
	for {
		err := s.Append(numbered(taken, taken+100))
		if err != nil {
			require.ErrorIs(t, err, linegate.ErrSpoolFull)
			break
		}
		taken += 100
	}
	assert.LessOrEqual(t, s.Stats().Bytes, int64(1<<20))
	assert.Greater(t, s.Stats().Bytes, int64(1<<20-100*100))
	assert.Greater(t, len(segments(t, folder)), 10, "so that room comes back in steps")
	assert.Equal(t, taken, s.Len())
	onDisk := int64(0)
	for _, path := range segments(t, folder) {
		info, err := os.Stat(path)
		require.NoError(t, err)
		onDisk += info.Size()
	}
	assert.Equal(t, onDisk, s.Stats().Bytes, "nothing half written")

	for s.Append(numbered(taken, taken+100)) != nil {
		events, err := s.Read(1000)
		require.NoError(t, err)
		require.NoError(t, s.Release(len(events)))
	}
	require.NoError(t, s.Close())
	s = open(t, folder, Options{MaxBytes: 1 << 20})
	waiting := s.Len()
	events := drain(t, s)
	assert.Len(t, events, waiting, "names tell how many events there are")
	assert.Equal(t, numbered(taken+100-len(events), taken+100), events)
}

func TestARestartGoesOnWhereTheFolderWasLeft(t *testing.T) {
	folder, _ := written(t, 5)
	s := open(t, folder, Options{})
	assert.Equal(t, 5, s.Len())
	assert.Equal(t, received, s.Stats().Oldest)
	require.NoError(t, s.Append(numbered(5, 8)))
	assert.Len(t, segments(t, folder), 2, "an old segment is not written to again")
	events, err := s.Read(3)
	require.NoError(t, err)
	require.NoError(t, s.Release(len(events)))
	require.NoError(t, s.Close())
	s = open(t, folder, Options{})
	assert.Equal(t, numbered(0, 8), drain(t, s), "a segment that was released in part comes again")
}

func TestATornEndIsCutAndCounted(t *testing.T) {
	cases := map[string]func(data []byte, lastRecord int) []byte{
		"in the middle of a record":     func(data []byte, last int) []byte { return data[:last+recordHead+3] },
		"in the middle of its head":     func(data []byte, last int) []byte { return data[:last+7] },
		"in the middle of its mark":     func(data []byte, last int) []byte { return data[:last+2] },
		"where the disk has only zeros": func(data []byte, last int) []byte { return append(data[:last], make([]byte, 5000)...) },
	}
	for name, tear := range cases {
		t.Run(name, func(t *testing.T) {
			folder, path := written(t, 4)
			edit(t, path, func(data []byte) []byte { return tear(data, segmentHead+3*(len(data)-segmentHead)/4) })
			var log bytes.Buffer
			s := open(t, folder, Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
			assert.Equal(t, 3, s.Len())
			assert.EqualValues(t, 1, s.Stats().Torn)
			assert.Contains(t, log.String(), "is cut off")
			require.NoError(t, s.Append(numbered(3, 5)))
			assert.Equal(t, numbered(0, 5), drain(t, s))
			assert.Zero(t, s.Stats().Damaged)
		})
	}
	t.Run("in the head of the segment", func(t *testing.T) {
		for _, length := range []int{0, 3, len(title), len(title) + 3} {
			folder, path := written(t, 1)
			edit(t, path, func(data []byte) []byte { return data[:length] })
			s := open(t, folder, Options{})
			assert.Zero(t, s.Len())
			assert.EqualValues(t, 1, s.Stats().Torn)
			assert.Empty(t, segments(t, folder))
		}
	})
	t.Run("right behind the head of the segment", func(t *testing.T) {
		folder, path := written(t, 1)
		edit(t, path, func(data []byte) []byte { return data[:segmentHead] })
		assert.Zero(t, open(t, folder, Options{}).Len())
		assert.Empty(t, segments(t, folder))
	})
}

func TestADamagedRecordIsPassedOverAndItsSegmentKept(t *testing.T) {
	flip := func(at func(size, record int) int) func([]byte) []byte {
		return func(data []byte) []byte {
			data[at(len(data), (len(data)-segmentHead)/4)] ^= 0x40
			return data
		}
	}
	cases := map[string]struct {
		change func([]byte) []byte
		lost   int
	}{
		"in an event":                 {flip(func(_, record int) int { return segmentHead + 2*record - 1 }), 1},
		"in a mark":                   {flip(func(_, record int) int { return segmentHead + record }), 1},
		"in a length, to far behind":  {flip(func(_, record int) int { return segmentHead + record + markSize + 1 }), 1},
		"in a length, beyond all":     {flip(func(_, record int) int { return segmentHead + record + markSize + 3 }), 1},
		"in a checksum":               {flip(func(_, record int) int { return segmentHead + record + markSize + 4 }), 1},
		"in the first record":         {flip(func(_, _ int) int { return segmentHead + recordHead }), 0},
		"in the last record's octets": {flip(func(size, _ int) int { return size - 1 }), 3},
		"octets that were never written here": {func(data []byte) []byte {
			record := (len(data) - segmentHead) / 4
			return append(data[:segmentHead+record:segmentHead+record], append([]byte("stray octets"), data[segmentHead+record:]...)...)
		}, -1},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			folder, path := written(t, 4)
			edit(t, path, c.change)
			damaged, err := os.ReadFile(path)
			require.NoError(t, err)
			var log bytes.Buffer
			s := open(t, folder, Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
			require.NoError(t, s.Append(numbered(4, 6)))
			expected := numbered(0, 6)
			if c.lost >= 0 {
				expected = append(numbered(0, c.lost), numbered(c.lost+1, 6)...)
			}
			assert.Equal(t, expected, drain(t, s))
			stats := s.Stats()
			assert.EqualValues(t, 1, stats.Damaged)
			assert.Zero(t, stats.Torn)
			assert.Equal(t, 1, strings.Count(log.String(), "can't be read"), "logged once")
			kept, err := os.ReadFile(strings.TrimSuffix(path, segmentEnding) + damagedEnding)
			require.NoError(t, err)
			assert.Equal(t, damaged, kept)
			assert.EqualValues(t, len(kept), stats.Bytes, "what is kept counts")
			require.NoError(t, s.Close())
			assert.EqualValues(t, len(kept), open(t, folder, Options{}).Stats().Bytes)
		})
	}
}

func TestASegmentWhoseWholeContentIsForeignIsKept(t *testing.T) {
	for name, content := range map[string]string{
		"another file":         "this is no segment, although it is called so",
		"a short one":          "no",
		"a record of no event": string(foreignRecord(t)),
		"only stray octets":    string(salt{}.head()) + "nothing that anybody could read",
	} {
		t.Run(name, func(t *testing.T) {
			folder, path := written(t, 1)
			require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
			s := open(t, folder, Options{})
			require.NoError(t, s.Append(numbered(1, 3)))
			assert.Equal(t, numbered(1, 3), drain(t, s))
			assert.EqualValues(t, 1, s.Stats().Damaged)
			kept, err := os.ReadFile(strings.TrimSuffix(path, segmentEnding) + damagedEnding)
			require.NoError(t, err)
			assert.Equal(t, content, string(kept))
		})
	}
}

// foreignRecord is a segment with a whole record that holds no event.
func foreignRecord(t *testing.T) []byte {
	s := newSalt()
	records, err := s.appendRecord(s.head(), func(to []byte) []byte { return append(to, "no event"...) })
	require.NoError(t, err)
	return records
}

func TestASegmentOfAnotherVersionStopsTheStart(t *testing.T) {
	folder, path := written(t, 1)
	edit(t, path, func(data []byte) []byte { return bytes.Replace(data, []byte(title), []byte("linegate spool 2\n"), 1) })
	_, err := Open(folder, Options{})
	assert.ErrorContains(t, err, `is of another version of Linegate: format "2", this one knows "1"`)
	assert.Len(t, segments(t, folder), 1)
}

// What a subscriber sends may look like a record with a good checksum: it must not
// become one when the record around it is damaged.
func TestARecordInsideAnEventIsNone(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "spool")
	s := open(t, folder, Options{})
	var guess salt
	copy(guess[:], s.salt[:markSize]) // as if the mark were known
	forged, err := guess.appendRecord(nil, func(to []byte) []byte { return appendEvent(to, &numbered(666, 667)[0]) })
	require.NoError(t, err)
	events := numbered(0, 3)
	events[1].UserName = string(forged)
	require.NoError(t, s.Append(events))
	require.NoError(t, s.Close())
	edit(t, segments(t, folder)[0], func(data []byte) []byte {
		data[bytes.Index(data, forged)-1] ^= 1
		return data
	})
	assert.Equal(t, []linegate.AccountingEvent{events[0], events[2]}, drain(t, open(t, folder, Options{})))
}

func TestADamagedSegmentThatIsPutBackIsReadAgain(t *testing.T) {
	folder, path := written(t, 4)
	edit(t, path, func(data []byte) []byte { data[segmentHead+recordHead] ^= 1; return data })
	s := open(t, folder, Options{})
	assert.Equal(t, numbered(1, 4), drain(t, s))
	require.NoError(t, s.Append(numbered(4, 6)))
	require.NoError(t, s.Close())
	require.NoError(t, os.Rename(strings.TrimSuffix(path, segmentEnding)+damagedEnding, path))
	s = open(t, folder, Options{})
	assert.Less(t, s.Len(), 20, "its name is old, but it can't hold so much")
	assert.Equal(t, numbered(1, 6), drain(t, s))
}

func TestAnAppendThatFailsLeavesNothingAndTheNextWorks(t *testing.T) {
	for _, before := range []int{0, 2} {
		folder := filepath.Join(t.TempDir(), "spool")
		s := open(t, folder, Options{})
		require.NoError(t, s.Append(numbered(0, 1)))
		if before == 0 {
			drain(t, s)
			require.NoError(t, s.begin())
		}
		require.NoError(t, s.active.Close()) // what the disk does to us
		size := s.Stats().Bytes
		assert.Error(t, s.Append(numbered(1, 2)))
		assert.Equal(t, size, s.Stats().Bytes)
		require.NoError(t, s.Append(numbered(2, 3)))
		expected := numbered(2, 3)
		if before > 0 {
			expected = append(numbered(0, 1), expected...)
		}
		assert.Equal(t, expected, drain(t, s))
	}
}

func TestWithoutItsFolderNothingIsConfirmed(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "spool")
	s := open(t, folder, Options{})
	require.NoError(t, os.RemoveAll(folder))
	assert.Error(t, s.Append(numbered(0, 1)))
	assert.Error(t, s.SetAside(&numbered(0, 1)[0], errors.New("no")))
	assert.Zero(t, s.Len())
}

func TestASegmentThatIsGoneIsSaid(t *testing.T) {
	folder, path := written(t, 2)
	s := open(t, folder, Options{})
	s.front.data = nil
	require.NoError(t, os.Remove(path))
	_, err := s.Read(1)
	assert.ErrorIs(t, err, os.ErrNotExist)
}

func TestAnEventTooLargeIsRefusedWhole(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "spool"), Options{})
	large := numbered(1, 2)
	large[0].UserName = strings.Repeat("x", maxRecord)
	assert.ErrorContains(t, s.Append(append(numbered(0, 1), large...)), "more than 65536")
	assert.Empty(t, drain(t, s))
}

func TestRefusedEventsAreKeptForPeopleAndCanBeTriedAgain(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "spool")
	s := open(t, folder, Options{MaxBytes: 1 << 20, Clock: func() time.Time { return received }})
	odd := filled(t)
	require.NoError(t, s.SetAside(&odd, errors.New("row too strange")))
	require.NoError(t, s.SetAside(&numbered(1, 2)[0], errors.New("so is this")))
	path := filepath.Join(folder, refusedName)
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, 2, bytes.Count(text, []byte("\n")))
	assert.Contains(t, string(text), `"error":"row too strange"`)
	assert.EqualValues(t, len(text), s.Stats().Bytes)
	assert.EqualValues(t, 2, s.Stats().SetAside)
	require.NoError(t, s.Close())

	require.NoError(t, os.Rename(path, filepath.Join(folder, againName)))
	s = open(t, folder, Options{MaxBytes: 1 << 20})
	assert.Equal(t, append([]linegate.AccountingEvent{odd}, numbered(1, 2)...), drain(t, s))
	assert.NoFileExists(t, filepath.Join(folder, againName))

	require.NoError(t, s.SetAside(&odd, errors.New("row too strange")))
	require.NoError(t, s.Close())
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	edit(t, path, func(data []byte) []byte { return append(data, `{"time":"2026`...) })
	s = open(t, folder, Options{MaxBytes: 1 << 20})
	mended, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, whole, mended, "a line that was not finished is cut off")
	assert.EqualValues(t, 1, s.Stats().Torn)

	s.aside = 1 << 20
	assert.ErrorIs(t, s.SetAside(&odd, errors.New("no")), linegate.ErrSpoolFull)
	require.NoError(t, s.Close())
	for _, bad := range []string{"no JSON", `{"record":"AAAA"}`, strings.Repeat("x", 9*maxRecord)} {
		require.NoError(t, os.WriteFile(filepath.Join(folder, againName), []byte(bad+"\n"), 0o600))
		_, err = Open(folder, Options{})
		assert.ErrorContains(t, err, againName)
	}
}

// A model: whatever is appended, read, released and restarted, what comes out is
// what went in, in order; only a restart may make some come again.
func TestAnyOrderOfCallsKeepsTheOrderOfEvents(t *testing.T) {
	for seed := range uint64(8) {
		random := rand.New(rand.NewPCG(seed, 1))
		folder := filepath.Join(t.TempDir(), fmt.Sprint(seed))
		s := open(t, folder, Options{MaxBytes: 8 << 20})
		s.segmentBytes = 2000
		appended, released := 0, 0 // numbers of the next event to go in, and to come out
		for range 150 {
			switch random.IntN(10) {
			case 0:
				require.NoError(t, s.Close())
				s = open(t, folder, Options{MaxBytes: 8 << 20})
				s.segmentBytes = 2000
				released = appended - s.Len()
			case 1, 2, 3, 4:
				count := 1 + random.IntN(30)
				require.NoError(t, s.Append(numbered(appended, appended+count)))
				appended += count
			default:
				events, err := s.Read(1 + random.IntN(40))
				require.NoError(t, err)
				require.Equal(t, numbered(released, released+len(events)), events, "seed %d", seed)
				count := random.IntN(len(events) + 1)
				require.NoError(t, s.Release(count))
				released += count
			}
			require.Equal(t, appended-released, s.Len(), "seed %d", seed)
		}
		require.Equal(t, numbered(released, appended), drain(t, s))
	}
}
