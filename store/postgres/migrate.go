package postgres

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"linegate"
	"linegate/store"
	"linegate/store/column"
)

// Migrations have the numbers, tables and columns of those of the other engine,
// and are never edited once released.
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

	metaValue  = `SELECT value FROM meta WHERE name = $1`
	insertMeta = `INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT DO NOTHING`
)

// Migrate brings the schema of the database to the newest version this program
// knows, from nothing if need be, and returns how it stands then. Nodes that do so
// at the same time wait for one another.
func Migrate(ctx context.Context, dsn string, sealer *store.Sealer) (store.Schema, error) {
	s, err := Open(ctx, dsn, sealer, Options{})
	if err != nil {
		return store.Schema{}, err
	}
	defer s.Close()
	if err := s.migrate(ctx, func(int) bool { return true }); err != nil {
		return store.Schema{}, err
	}
	if err := s.CheckSchema(ctx); err != nil {
		return store.Schema{}, err
	}
	return s.schema(ctx)
}

// Status returns how the database's schema stands. It changes nothing.
func Status(ctx context.Context, dsn string) (store.Schema, error) {
	s, err := Open(ctx, dsn, nil, Options{})
	if err != nil {
		return store.Schema{}, err
	}
	defer s.Close()
	return s.schema(ctx)
}

// Prepare makes an empty database whole and checks one that is not, see CheckSchema.
// A schema that another linegate made is never changed by the way.
func (s *Store) Prepare(ctx context.Context) error {
	schema, err := s.schema(ctx)
	if err == nil && schema.Version == 0 {
		err = s.migrate(ctx, func(version int) bool { return version == 0 })
	}
	if err != nil {
		return err
	}
	return s.CheckSchema(ctx)
}

// CheckSchema returns an error unless the schema is the one this program knows, and
// the secrets in it are sealed with our key. It only reads.
func (s *Store) CheckSchema(ctx context.Context) error {
	schema, err := s.schema(ctx)
	if err != nil {
		return err
	}
	switch {
	case schema.Version == 0:
		return errors.New("the database is empty: `linegate serve`, `linegate apply -f FILE` or `linegate migrate up` fill it")
	case schema.Version < schema.Newest:
		return fmt.Errorf("schema version is %d and this linegate needs %d: run `linegate migrate up`", schema.Version, schema.Newest)
	}
	if err := schema.RefuseNewer(); err != nil {
		return err
	}
	return s.checkSeal(ctx)
}

// schema compares what was applied with what there is.
func (s *Store) schema(ctx context.Context) (schema store.Schema, err error) {
	if schema, err = store.KnownSchema(migrations); err != nil {
		return schema, err
	}
	begun := false
	err = s.row(ctx, s.lists, []any{&begun}, `SELECT to_regclass('schema_version') IS NOT NULL`)
	if err == nil && begun {
		err = s.each(ctx, s.lists, func(row scanner) error { return noteApplied(&schema, row) }, `SELECT version, applied_at FROM schema_version ORDER BY version`)
	}
	if err != nil {
		return schema, fmt.Errorf("schema version: %w", err)
	}
	return schema, nil
}

// noteApplied reads a migration that was applied.
func noteApplied(schema *store.Schema, row scanner) error {
	var number int
	var at time.Time
	if err := row.Scan(&number, timeColumn{&at}); err != nil {
		return fail(err)
	}
	schema.Applied(number, at)
	return nil
}

// migrate runs the migrations that are missing, all in one transaction, when the
// version that is found under the lock is to be changed.
func (s *Store) migrate(ctx context.Context, wanted func(version int) bool) error {
	err := s.write(ctx, s.updates, func(w *writing) error {
		version, err := w.schemaVersion()
		if err != nil || !wanted(version) {
			return err
		}
		files, err := fs.Glob(migrations, "migrations/*.sql")
		if err != nil {
			return err
		}
		for ; version < len(files); version++ {
			if err := s.apply(w, version+1, files[version]); err != nil {
				return fmt.Errorf("%s: %w", files[version], err)
			}
		}
		if err := w.exec(insertMeta, storeID, []byte(store.NewID())); err != nil {
			return err
		}
		return w.exec(insertMeta, sealCheck, s.sealer.Seal(sealCheck, sealCheck))
	})
	if err != nil {
		return fmt.Errorf("migration: %w", err)
	}
	return nil
}

// schemaVersion waits for others that migrate and returns the version, 0 for an
// empty database, which has to keep its text as UTF-8.
func (w *writing) schemaVersion() (version int, err error) {
	if err := w.exec(takeLock, lockSchema, 0); err != nil {
		return 0, err
	}
	var encoding string
	if err := w.row([]any{&encoding}, `SELECT current_setting('server_encoding')`); err != nil {
		return 0, err
	}
	if encoding != "UTF8" {
		return 0, fmt.Errorf("the database keeps text as %s: make one with ENCODING 'UTF8'", encoding)
	}
	if err := w.exec(`CREATE TABLE IF NOT EXISTS schema_version (version bigint PRIMARY KEY, applied_at bigint NOT NULL)`); err != nil {
		return 0, err
	}
	err = w.row([]any{&version}, `SELECT coalesce(max(version), 0) FROM schema_version`)
	return version, err
}

func (s *Store) apply(w *writing, number int, file string) error {
	script, err := migrations.ReadFile(file)
	if err != nil {
		return err
	}
	if err := w.exec(string(script)); err != nil {
		return err
	}
	if number == circuitKeyVersion {
		if err := w.fillCircuitKeys(); err != nil {
			return err
		}
	}
	return w.exec(`INSERT INTO schema_version (version, applied_at) VALUES ($1, $2)`, number, column.Micros(s.now()))
}

// checkSeal refuses a database that was sealed with another key, before a request
// would find out.
func (s *Store) checkSeal(ctx context.Context) error {
	var sealed []byte
	err := s.row(ctx, s.lists, []any{&sealed}, metaValue, sealCheck)
	if err != nil && !errors.Is(err, linegate.ErrNotFound) {
		return fmt.Errorf("check of the key: %w", err)
	}
	if _, err := s.sealer.Open(sealCheck, sealed); err != nil {
		return fmt.Errorf("secrets were sealed with another key than the one in %s: put the key file there that the other nodes have", s.sealer.KeyFile())
	}
	return nil
}
