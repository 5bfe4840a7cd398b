package snapshot_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"linegate"
	"linegate/store"
	"linegate/store/snapshot"
)

// source is a store of made-up subscribers.
type source struct {
	mu          sync.Mutex
	id          string
	revision    int64
	subscribers []*linegate.Subscriber
	failing     map[string]bool // methods
}

var errFake = errors.New("fake failure")

func (s *source) fails(method string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failing[method] {
		return errFake
	}
	return nil
}

func (s *source) setFailing(methods ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failing = map[string]bool{}
	for _, method := range methods {
		s.failing[method] = true
	}
}

func (s *source) ID(context.Context) (string, error)      { return s.id, s.fails("ID") }
func (s *source) Revision(context.Context) (int64, error) { return s.revision, s.fails("Revision") }
func (s *source) NASes(context.Context, string) ([]linegate.NAS, error) {
	return []linegate.NAS{{
		Tenant: "demo", Name: "bng1", Address: netip.MustParsePrefix("192.0.2.1/32"), Secret: "testing123",
		Dialect: "standard", Identify: linegate.DefaultIdentities(), Learned: linegate.Yes,
	}}, s.fails("NASes")
}

func (s *source) EachSubscriber(_ context.Context, _ string, fn func(*linegate.Subscriber) error) error {
	for _, subscriber := range s.subscribers {
		if err := fn(subscriber); err != nil {
			return err
		}
	}
	return s.fails("EachSubscriber")
}

// fill gives every field of a struct a value, so that one that is forgotten shows.
func fill(value reflect.Value) {
	switch value.Kind() {
	case reflect.Struct:
		switch value.Interface().(type) {
		case time.Time:
			value.Set(reflect.ValueOf(time.Date(2026, 3, 4, 5, 6, 7, 8000, time.UTC)))
		case netip.Addr:
			value.Set(reflect.ValueOf(netip.MustParseAddr("2001:db8::1")))
		case netip.Prefix:
			value.Set(reflect.ValueOf(netip.MustParsePrefix("2001:db8::/56")))
		default:
			for i := range value.NumField() {
				fill(value.Field(i))
			}
		}
	case reflect.Pointer:
		value.Set(reflect.New(value.Type().Elem()))
		fill(value.Elem())
	case reflect.Slice:
		value.Set(reflect.MakeSlice(value.Type(), 2, 2))
		fill(value.Index(0))
		fill(value.Index(1))
	case reflect.Array:
		for i := range value.Len() {
			fill(value.Index(i))
		}
	case reflect.String:
		value.SetString("text\x00\xff")
	case reflect.Bool:
		value.SetBool(true)
	case reflect.Int, reflect.Int64:
		value.SetInt(42)
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		value.SetUint(42)
	default:
		panic("no value for " + value.Kind().String())
	}
}

func newSource(subscribers int) *source {
	s := &source{id: "store-1", revision: 7}
	for i := range subscribers {
		subscriber := &linegate.Subscriber{}
		fill(reflect.ValueOf(subscriber).Elem())
		subscriber.Username = fmt.Sprintf("user%d", i)
		s.subscribers = append(s.subscribers, subscriber)
	}
	s.subscribers = append(s.subscribers, &linegate.Subscriber{ID: "bare", Tenant: "demo", Username: "bare"})
	return s
}

func sealer(t testing.TB) *store.Sealer {
	t.Helper()
	made, err := store.OpenKeyFile(filepath.Join(t.TempDir(), "key"))
	require.NoError(t, err)
	return made
}

var now = time.Date(2026, 5, 6, 7, 8, 9, 0, time.UTC)

func write(t testing.TB, from *source, key *store.Sealer) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "snapshot")
	revision, subscribers, err := snapshot.Write(t.Context(), path, key, from, now)
	require.NoError(t, err)
	assert.EqualValues(t, 7, revision)
	assert.Equal(t, len(from.subscribers), subscribers)
	return path
}

func TestWhatIsWrittenIsReadBackWhole(t *testing.T) {
	from, key := newSource(2000), sealer(t)
	path := write(t, from, key)
	read, err := snapshot.Read(path, key)
	require.NoError(t, err)
	nases, _ := from.NASes(t.Context(), "")
	assert.Equal(t, &snapshot.Snapshot{StoreID: "store-1", Revision: 7, TakenAt: now, NASes: nases, Subscribers: from.subscribers}, read)

	info, err := os.Stat(path)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	octets, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.NotContains(t, string(octets), "testing123")
	assert.NotContains(t, string(octets), "user1")
}

func TestAnyDamageMakesAllOfItVoid(t *testing.T) {
	key := sealer(t)
	path := write(t, newSource(500), key)
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Greater(t, len(whole), 2*64<<10, "several frames")
	check := func(name string, octets []byte) {
		require.NoError(t, os.WriteFile(path, octets, 0o600))
		_, err := snapshot.Read(path, key)
		assert.Error(t, err, name)
	}
	for cut := 0; cut < len(whole); cut += 997 {
		check(fmt.Sprintf("cut after %d octets", cut), whole[:cut])
	}
	for at := 0; at < len(whole); at += 1009 {
		damaged := bytes.Clone(whole)
		damaged[at] ^= 0x40
		check(fmt.Sprintf("octet %d changed", at), damaged)
	}
	frame := len("LGSNAP1\n") + 36
	size := 4 + int(whole[frame])<<24 + int(whole[frame+1])<<16 + int(whole[frame+2])<<8 + int(whole[frame+3])
	check("the first frame left out", append(bytes.Clone(whole[:frame]), whole[frame+size:]...))
	check("the first frame twice", append(bytes.Clone(whole[:frame+size]), whole[frame:]...))
}

func TestAnotherKeyOpensNothing(t *testing.T) {
	path := write(t, newSource(1), sealer(t))
	_, err := snapshot.Read(path, sealer(t))
	assert.ErrorContains(t, err, "not made with the key")
}

func TestAMissingFileIsNone(t *testing.T) {
	_, err := snapshot.Read(filepath.Join(t.TempDir(), "none"), sealer(t))
	assert.ErrorIs(t, err, snapshot.ErrNone)
	_, err = snapshot.Read(t.TempDir(), sealer(t))
	assert.Error(t, err)
	assert.NotErrorIs(t, err, snapshot.ErrNone)
}

func TestAFailedCopyLeavesTheOldOne(t *testing.T) {
	from, key := newSource(10), sealer(t)
	path := write(t, from, key)
	for _, method := range []string{"ID", "Revision", "NASes", "EachSubscriber"} {
		from.setFailing(method)
		_, _, err := snapshot.Write(t.Context(), path, key, from, now)
		assert.ErrorIs(t, err, errFake, method)
	}
	read, err := snapshot.Read(path, key)
	require.NoError(t, err)
	assert.Len(t, read.Subscribers, 11)
	left, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	assert.Len(t, left, 1, "no drafts stay")

	_, _, err = snapshot.Write(t.Context(), filepath.Join(path, "below-a-file"), key, from, now)
	assert.Error(t, err)
}

// signals is a log that tells of each line.
type signals struct{ lines chan string }

func (s signals) Write(line []byte) (int, error) {
	s.lines <- string(line)
	return len(line), nil
}

func TestAKeeperWritesAtOnceAndAfterEveryChange(t *testing.T) {
	from, key := newSource(3), sealer(t)
	path := filepath.Join(t.TempDir(), "snapshot")
	log := signals{make(chan string, 100)}
	keeper := snapshot.NewKeeper(path, key, from, snapshot.KeeperOptions{
		Pause: time.Nanosecond, Logger: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	_, err := snapshot.Read(path, key)
	assert.Error(t, err, "not yet")
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { keeper.Run(ctx) })
	defer running.Wait()
	defer cancel()

	assert.Contains(t, <-log.lines, "snapshot written")
	_, err = snapshot.Read(path, key)
	assert.NoError(t, err)
	from.setFailing("ID")
	keeper.Changed()
	keeper.Changed()
	assert.Contains(t, <-log.lines, "the old one stays", "told once, however often it fails")
	from.setFailing()
	assert.Contains(t, <-log.lines, "snapshot written")
	_, err = snapshot.Read(path, key)
	assert.NoError(t, err)
}

func BenchmarkRead(b *testing.B) {
	from, key := newSource(100_000), sealer(b)
	path := write(b, from, key)
	for b.Loop() {
		_, err := snapshot.Read(path, key)
		require.NoError(b, err)
	}
}

func BenchmarkWrite(b *testing.B) {
	from, key := newSource(100_000), sealer(b)
	path := filepath.Join(b.TempDir(), "snapshot")
	for b.Loop() {
		_, _, err := snapshot.Write(b.Context(), path, key, from, now)
		require.NoError(b, err)
	}
}
