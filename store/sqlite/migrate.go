package sqlite

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"zombiezen.com/go/sqlite/sqlitex"

	"linegate"
	"linegate/store"
	"linegate/store/column"
)

// Migrations are numbered from 1 without gaps and never edited once released.
//
//go:embed migrations/*.sql
var migrations embed.FS

// Rows of meta: sealCheck tells whether the key is the right one, storeID which
// store this is.
const (
	sealCheck = "meta/seal_check"
	storeID   = "store_id"

	// circuitKeyVersion is the migration that the program has a part in.
	circuitKeyVersion = 3

	selectMeta = `SELECT value FROM meta WHERE name = ?`
	insertMeta = `INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT DO NOTHING`
)

// migrate brings the schema to the newest version this program knows. It takes
// the write lock only when there is something to do, so that opening never waits
// for another process's long write.
func (s *Store) migrate(ctx context.Context) error {
	files, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return err
	}
	version, err := schemaVersion(ctx, s.writer.row)
	if err != nil {
		return err
	}
	if err := (&store.Schema{Version: version, Newest: len(files)}).RefuseNewer(); err != nil {
		return err
	}
	if version < len(files) {
		if err := s.write(ctx, func(w *writing) error { return s.apply(w, files) }); err != nil {
			return err
		}
	}
	return s.checkSeal(ctx)
}

// Status tells how the schema of the database file at path stands, and changes
// nothing. A file that is missing or empty has version 0.
func Status(ctx context.Context, path string) (schema store.Schema, err error) {
	if schema, err = store.KnownSchema(migrations); err != nil {
		return schema, err
	}
	if held, err := os.Stat(path); err != nil || held.Size() == 0 {
		return schema, ignoreMissing(err)
	}
	db, err := openPool(ctx, path, 1, role{settings: []string{queryOnly}})
	if err != nil {
		return schema, err
	}
	defer db.Close()
	if schema.Version, err = schemaVersion(ctx, db.row); err != nil || schema.Version == 0 {
		return schema, err
	}
	err = db.each(ctx, `SELECT version, applied_at FROM schema_version ORDER BY version`, func(row scanner) error {
		var number int
		var applied time.Time
		if err := row.Scan(&number, column.ReadMicros(&applied)); err != nil {
			return err
		}
		schema.Applied(number, applied)
		return nil
	})
	return schema, err
}

// ignoreMissing is nil for a file that is not there.
func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// readRow is the method row of a pool or a connection.
type readRow func(ctx context.Context, query string, scan func(scanner) error, args ...any) error

// schemaVersion returns 0 for an empty database.
func schemaVersion(ctx context.Context, row readRow) (version int, err error) {
	var tables int
	err = row(ctx, `SELECT count(*) FROM sqlite_master WHERE name = 'schema_version'`, into(&tables))
	if err == nil && tables > 0 {
		err = row(ctx, `SELECT coalesce(max(version), 0) FROM schema_version`, into(&version))
	}
	if err != nil {
		return 0, fmt.Errorf("schema version: %w", err)
	}
	return version, nil
}

// apply runs the migrations that are missing, all in one transaction. It asks for
// the version again, since another process may have come first.
func (s *Store) apply(w *writing, files []string) error {
	if err := w.exec(`CREATE TABLE IF NOT EXISTS schema_version (version INTEGER PRIMARY KEY, applied_at INTEGER NOT NULL) STRICT`); err != nil {
		return err
	}
	version, err := schemaVersion(w.ctx, w.connection.row)
	if err != nil {
		return err
	}
	for ; version < len(files); version++ {
		script, err := migrations.ReadFile(files[version])
		if err != nil {
			return err
		}
		if err := sqlitex.ExecuteScript(w.connection.raw, string(script), nil); err != nil {
			return fmt.Errorf("%s: %w", files[version], fail(err))
		}
		if version+1 == circuitKeyVersion {
			if err := w.fillCircuitKeys(); err != nil {
				return fmt.Errorf("%s: %w", files[version], err)
			}
		}
		if err := w.exec(`INSERT INTO schema_version (version, applied_at) VALUES (?, ?)`, version+1, column.Micros(s.now())); err != nil {
			return err
		}
	}
	if err := w.exec(insertMeta, storeID, []byte(store.NewID())); err != nil {
		return err
	}
	return w.exec(insertMeta, sealCheck, s.sealer.Seal(sealCheck, sealCheck))
}

// checkSeal refuses a database that was sealed with another key, before a request
// would find out.
func (s *Store) checkSeal(ctx context.Context) error {
	var sealed []byte
	err := s.lookups.row(ctx, selectMeta, into(&sealed), sealCheck)
	if err != nil && !errors.Is(err, linegate.ErrNotFound) {
		return fmt.Errorf("check of the key: %w", err)
	}
	if _, err := s.sealer.Open(sealCheck, sealed); err != nil {
		return fmt.Errorf("secrets were sealed with another key than the one in %s: put back the key file that belongs to this database", s.sealer.KeyFile())
	}
	return nil
}

// ID implements store.Engine.
func (s *Store) ID(ctx context.Context) (string, error) {
	var id []byte
	if err := s.lookups.row(ctx, selectMeta, into(&id), storeID); err != nil {
		return "", fmt.Errorf("store id: %w", err)
	}
	return string(id), nil
}
