// Package sqlite keeps Linegate's data in one SQLite file, for a server that
// needs no database beside it. It never decides anything about a subscriber, and
// never writes a password or a shared secret in clear.
package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"linegate/store"
	"linegate/store/booking"
)

// Connections of one Store. SQLite has one writer at a time anyway; lists get
// connections of their own, so that a slow reader of a long list keeps no lookup
// waiting.
const (
	lookupConnections = 4
	listConnections   = 4
)

// Store is a store.Engine over one database file. Other processes may have the
// same file open and write to it.
type Store struct {
	sealer  *store.Sealer
	now     func() time.Time
	writer  *pool // one connection
	lookups *pool
	lists   *pool

	known    *booking.Known // of sessions
	changed  broadcast
	followed atomic.Int64 // the revision that Feed last handed out; -1: none yet
	closed   atomic.Bool
}

var _ store.Engine = (*Store)(nil)

// Open opens the database file at path, making it (for its owner alone) and its
// folder when missing, and brings its schema up to date. A schema from a newer
// Linegate and a database sealed with another key are errors.
func Open(ctx context.Context, path string, sealer *store.Sealer) (*Store, error) {
	s := &Store{sealer: sealer, now: time.Now, known: booking.NewKnown()}
	s.followed.Store(-1)
	err := makeFile(path)
	if err == nil {
		err = s.connect(ctx, path)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("sqlite %s: %w", path, err), s.Close())
	}
	return s, nil
}

// makeFile makes an empty database file unless there is one. An existing file is
// not opened: closing it would drop the locks that this process holds on it.
func makeFile(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return fmt.Errorf("make folder: %w", err)
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("make file: %w", err)
	}
	return file.Close()
}

func (s *Store) connect(ctx context.Context, path string) (err error) {
	// The cache holds the pages that indexes of a million sessions grow at; a larger one
	// costs each commit more, which looks through all of it. The log takes 32 MB before
	// it goes into the file, so that a page that is written often goes there once.
	writing := []string{`journal_mode = WAL`, `synchronous = FULL`, `cache_size = -16384`, `wal_autocheckpoint = 8000`}
	if s.writer, err = openPool(ctx, path, 1, role{settings: writing}); err != nil {
		return err
	}
	if s.lookups, err = openPool(ctx, path, lookupConnections, role{settings: []string{queryOnly}}); err != nil {
		return err
	}
	if s.lists, err = openPool(ctx, path, listConnections, role{settings: []string{queryOnly}, long: true}); err != nil {
		return err
	}
	return s.migrate(ctx)
}

// Close closes the database; what waits in Changed returns.
func (s *Store) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	s.changed.send()
	var err error
	for _, p := range []*pool{s.lists, s.lookups, s.writer} {
		if p != nil {
			err = errors.Join(err, p.Close())
		}
	}
	return err
}

// broadcast wakes all who wait. The zero value is ready to use.
type broadcast struct {
	mu   sync.Mutex
	next chan struct{}
}

// wait returns a channel that closes with the next send.
func (b *broadcast) wait() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.next == nil {
		b.next = make(chan struct{})
	}
	return b.next
}

func (b *broadcast) send() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.next != nil {
		close(b.next)
		b.next = nil
	}
}
