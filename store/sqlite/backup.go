package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"linegate/store"
)

// Backup writes the whole database at path, as it is at one moment, to a file that
// must not exist yet, readable for its owner alone. It holds up no writer, changes
// nothing (a schema of another version stays as it is), and needs no key:
// passwords and secrets stay sealed.
func Backup(ctx context.Context, path, into string) (err error) {
	schema, err := Status(ctx, path)
	if err == nil && schema.Version == 0 {
		err = fmt.Errorf("%s is not a linegate store", path)
	}
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	file, err := os.OpenFile(into, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	err = errors.Join(copyMoment(ctx, path, into), file.Sync(), file.Close())
	if err != nil {
		_ = os.Remove(into) // half a backup is none
		return fmt.Errorf("backup to %s: %w", into, err)
	}
	return nil
}

// copyMoment writes the database into an empty file.
func copyMoment(ctx context.Context, path, into string) error {
	into, err := filepath.Abs(into) // so that no name means more than a file
	if err != nil {
		return err
	}
	db, err := openPool(ctx, path, 1, role{long: true})
	if err != nil {
		return err
	}
	return errors.Join(db.exec(ctx, `VACUUM INTO ?`, into), db.Close())
}

// Restore puts a backup in the place of the database file at path, once it is
// proven: a sound file of ours whose secrets the sealer opens. What was there is
// kept beside it, under the name that is returned (empty: nothing was there). It
// refuses while anybody has the database open.
func Restore(ctx context.Context, path, backup string, sealer *store.Sealer, now time.Time) (aside string, err error) {
	fresh := path + ".restoring"
	defer func() { err = errors.Join(err, removeDatabase(fresh)) }() // what is left of it
	if err := copyBackup(fresh, backup); err != nil {
		return "", fmt.Errorf("restore: %w", err)
	}
	if err := prove(ctx, fresh, sealer); err != nil {
		return "", fmt.Errorf("restore: %s: %w", backup, err)
	}
	if aside, err = supersede(ctx, path, fresh, now); err != nil {
		return "", fmt.Errorf("restore: %w", err)
	}
	return aside, nil
}

// copyBackup copies a backup to a new file. A database in use is refused: a part
// of it is in its log.
func copyBackup(to, backup string) (err error) {
	if log, err := os.Stat(backup + "-wal"); err == nil && log.Size() > 0 {
		return fmt.Errorf("%s is in use as a store, it is no backup: `linegate store backup` makes one", backup)
	}
	from, err := os.Open(backup)
	if err != nil {
		return err
	}
	defer from.Close()
	if err := removeDatabase(to); err != nil {
		return err
	}
	file, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if _, err := io.Copy(file, from); err != nil {
		return err
	}
	return file.Sync()
}

// prove opens the file as a server would, which brings its schema up to date and
// tries the key, and looks for damage.
func prove(ctx context.Context, path string, sealer *store.Sealer) error {
	schema, err := Status(ctx, path)
	if err == nil && schema.Version == 0 {
		err = errors.New("not a backup of a linegate store")
	}
	if err != nil {
		return err
	}
	s, err := Open(ctx, path, sealer)
	if err != nil {
		return err
	}
	var found string
	err = s.lists.row(ctx, `PRAGMA quick_check(1)`, into(&found))
	if err == nil && found != "ok" {
		err = fmt.Errorf("damaged: %s", found)
	}
	return errors.Join(err, s.Close())
}

// supersede moves the database at path aside and the fresh one into its place.
func supersede(ctx context.Context, path, fresh string, now time.Time) (aside string, err error) {
	release, err := seize(ctx, path)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, release()) }()
	for _, part := range databaseParts() {
		renamed := path + ".before-restore-" + now.UTC().Format("20060102T150405Z")
		err := os.Rename(path+part, renamed+part)
		if err == nil && part == "" {
			aside = renamed
		}
		if err := ignoreMissing(err); err != nil {
			return "", err
		}
	}
	if err := os.Rename(fresh, path); err != nil {
		return "", err
	}
	return aside, syncFolder(path)
}

// seize makes sure that nobody has the database open, and keeps others out until
// release. One that is missing or too damaged to be opened is nobody's.
func seize(ctx context.Context, path string) (release func() error, err error) {
	release = func() error { return nil }
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return release, nil
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	// Leaving WAL needs the file for oneself, and puts all of the log into it.
	db, err := openPool(ctx, path, 1, role{settings: []string{`journal_mode = DELETE`}})
	if err == nil {
		release = db.Close
		err = db.exec(ctx, `BEGIN EXCLUSIVE`)
	}
	switch {
	case isBusy(err):
		err = fmt.Errorf("store %s is in use: stop the server, and try again", path)
	case err == nil || ctx.Err() == nil: // ours, or nobody's
		return release, nil
	}
	return nil, errors.Join(err, release())
}

// databaseParts are the endings of the files that make a database.
func databaseParts() []string { return []string{"", "-wal", "-shm"} }

func removeDatabase(path string) (err error) {
	for _, part := range databaseParts() {
		err = errors.Join(err, ignoreMissing(os.Remove(path+part)))
	}
	return err
}

// syncFolder makes the names in a file's folder durable.
func syncFolder(path string) error {
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
