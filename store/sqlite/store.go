// Package sqlite keeps Linegate's data in one SQLite file, for a server that
// needs no database beside it. It never decides anything about a subscriber, and
// never writes a password or a shared secret in clear.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	_ "modernc.org/sqlite" // registers the driver "sqlite"

	"linegate"
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

const (
	// busyTimeout is how long a lock is waited for; a large import by another
	// process takes some.
	busyTimeout = 30 * time.Second
	takeUpRetry = 5 * time.Millisecond
)

// Store is a store.Engine over one database file. Other processes may have the
// same file open and write to it.
type Store struct {
	sealer  *store.Sealer
	now     func() time.Time
	writer  *sql.DB // one connection
	lookups *sql.DB
	lists   *sql.DB

	bySubscriberKey map[linegate.Identity]*sql.Stmt
	feed            *sql.Stmt
	revision        *sql.Stmt
	accounting      map[string]*sql.Stmt // statements of every batch, on the writer's connection

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
	if s.writer, err = openPool(path, 1, url.Values{"_txlock": {"immediate"}, "_journal_mode": {"WAL"}, "_synchronous": {"FULL"},
		"_pragma": {"cache_size(-65536)"}}); err != nil { // the indexes that a million sessions grow at
		return err
	}
	if s.lookups, err = openPool(path, lookupConnections, url.Values{"_query_only": {"1"}}); err != nil {
		return err
	}
	if s.lists, err = openPool(path, listConnections, url.Values{"_query_only": {"1"}}); err != nil {
		return err
	}
	if err := s.takeUp(ctx); err != nil {
		return err
	}
	if err := s.migrate(ctx); err != nil {
		return err
	}
	return s.prepare(ctx)
}

// takeUp makes the writer's connection, which turns a new file to WAL. SQLite
// does not wait for the lock that this needs, so whoever opens the file at the
// same moment makes it fail: it is tried again for as long as any lock is waited
// for.
func (s *Store) takeUp(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, busyTimeout)
	defer cancel()
	for {
		err := s.writer.PingContext(ctx)
		if !isBusy(err) {
			return fail(err)
		}
		select {
		case <-time.After(takeUpRetry):
		case <-ctx.Done():
			return fail(err)
		}
	}
}

// openPool makes a pool of connections. Settings go into the data source name,
// since SQLite keeps them by connection.
func openPool(path string, connections int, settings url.Values) (*sql.DB, error) {
	settings.Set("_busy_timeout", strconv.FormatInt(busyTimeout.Milliseconds(), 10))
	settings.Set("_foreign_keys", "1")
	if !settings.Has("_pragma") {
		settings.Add("_pragma", "cache_size(-8000)") // KiB
	}
	settings.Add("_pragma", "journal_size_limit(67108864)") // what the log shrinks to after a long list held it up
	db, err := sql.Open("sqlite", "file:"+url.PathEscape(path)+"?"+settings.Encode())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	return db, nil
}

// prepare readies the statements that requests wait for.
func (s *Store) prepare(ctx context.Context) (err error) {
	s.bySubscriberKey = make(map[linegate.Identity]*sql.Stmt)
	for identity, query := range lookupQueries() {
		if s.bySubscriberKey[identity], err = s.lookups.PrepareContext(ctx, query); err != nil {
			return fail(err)
		}
	}
	if s.feed, err = s.lookups.PrepareContext(ctx, feedQuery); err != nil {
		return fail(err)
	}
	if s.revision, err = s.lookups.PrepareContext(ctx, revisionQuery); err != nil {
		return fail(err)
	}
	s.accounting = make(map[string]*sql.Stmt)
	for _, query := range accountingStatements() {
		if s.accounting[query], err = s.writer.PrepareContext(ctx, query); err != nil {
			return fail(err)
		}
	}
	return nil
}

// Close closes the database; what waits in Changed returns.
func (s *Store) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	s.changed.send()
	var err error
	for _, db := range []*sql.DB{s.lists, s.lookups, s.writer} {
		if db != nil {
			err = errors.Join(err, db.Close())
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
