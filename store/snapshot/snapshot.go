// Package snapshot keeps a copy of what a server needs to answer in a local file,
// for a start while the store is away. The file is sealed: nobody reads it or
// changes it without the key, and a part that is missing or damaged makes all of
// it void. The package never decides whether a copy is to be used.
package snapshot

import (
	"bufio"
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"linegate"
	"linegate/store"
)

// Snapshot is a copy of a store as it stood at Revision, or a little later.
type Snapshot struct {
	StoreID     string
	Revision    int64
	TakenAt     time.Time
	NASes       []linegate.NAS
	Subscribers []*linegate.Subscriber
}

// Source is what a copy is taken of; a store.Engine is one.
type Source interface {
	ID(ctx context.Context) (string, error)
	Revision(ctx context.Context) (int64, error)
	NASes(ctx context.Context, tenant string) ([]linegate.NAS, error)
	EachSubscriber(ctx context.Context, tenant string, fn func(*linegate.Subscriber) error) error
}

// header comes before the subscribers, each of which follows in an item. The last
// item has none.
type header struct {
	StoreID  string
	Revision int64
	TakenAt  time.Time
	NASes    []linegate.NAS
}

type item struct{ Subscriber *linegate.Subscriber }

// Write copies the source into the file at path, for its owner alone, and returns
// at which revision it stood and how many subscribers it has. The old file stays
// until the new one is whole and on disk.
func Write(ctx context.Context, path string, sealer *store.Sealer, source Source, now time.Time) (revision int64, subscribers int, err error) {
	draft, err := os.CreateTemp(filepath.Dir(path), ".snapshot-*") // mode 0600
	if err != nil {
		return 0, 0, fmt.Errorf("snapshot: %w", err)
	}
	defer os.Remove(draft.Name())
	revision, subscribers, err = write(ctx, draft, sealer, source, now)
	if err = errors.Join(err, draft.Sync(), draft.Close()); err != nil {
		return 0, 0, fmt.Errorf("snapshot %s: %w", path, err)
	}
	if err := os.Rename(draft.Name(), path); err != nil {
		return 0, 0, fmt.Errorf("snapshot: %w", err)
	}
	return revision, subscribers, syncFolder(filepath.Dir(path))
}

func write(ctx context.Context, to io.Writer, sealer *store.Sealer, source Source, now time.Time) (revision int64, subscribers int, err error) {
	head := header{TakenAt: now}
	if head.StoreID, err = source.ID(ctx); err != nil {
		return 0, 0, err
	}
	// Read first: what the feed tells twice does no harm, what it never tells would.
	if head.Revision, err = source.Revision(ctx); err != nil {
		return 0, 0, err
	}
	if head.NASes, err = source.NASes(ctx, ""); err != nil {
		return 0, 0, err
	}
	sealed, err := newWriter(to, sealer)
	if err != nil {
		return 0, 0, err
	}
	encoder := gob.NewEncoder(sealed)
	if err := encoder.Encode(head); err != nil {
		return 0, 0, err
	}
	err = source.EachSubscriber(ctx, "", func(subscriber *linegate.Subscriber) error {
		subscribers++
		return encoder.Encode(item{subscriber})
	})
	if err != nil {
		return 0, 0, err
	}
	if err := encoder.Encode(item{}); err != nil {
		return 0, 0, err
	}
	return head.Revision, subscribers, sealed.Close()
}

// ErrNone: there is no snapshot at that path.
var ErrNone = errors.New("no snapshot")

// Read returns the copy at path. A missing file is ErrNone; one that is damaged,
// or was sealed with another key, is an error as a whole.
func Read(path string, sealer *store.Sealer) (*Snapshot, error) {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w", path, ErrNone)
	}
	if err != nil {
		return nil, fmt.Errorf("snapshot: %w", err)
	}
	defer file.Close()
	snapshot, err := read(bufio.NewReader(file), sealer)
	if err != nil {
		return nil, fmt.Errorf("snapshot %s: %w", path, err)
	}
	return snapshot, nil
}

func read(from io.Reader, sealer *store.Sealer) (*Snapshot, error) {
	sealed, err := newReader(from, sealer)
	if err != nil {
		return nil, err
	}
	decoder := gob.NewDecoder(sealed)
	var head header
	if err := decoder.Decode(&head); err != nil {
		return nil, err
	}
	snapshot := &Snapshot{StoreID: head.StoreID, Revision: head.Revision, TakenAt: head.TakenAt, NASes: head.NASes}
	for {
		var next item
		if err := decoder.Decode(&next); err != nil {
			return nil, err
		}
		if next.Subscriber == nil {
			return snapshot, nil
		}
		snapshot.Subscribers = append(snapshot.Subscribers, next.Subscriber)
	}
}

// syncFolder makes the names in a folder durable.
func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err == nil {
		err = errors.Join(folder.Sync(), folder.Close())
	}
	if err != nil {
		return fmt.Errorf("sync folder of snapshot: %w", err)
	}
	return nil
}
