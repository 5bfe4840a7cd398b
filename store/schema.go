package store

import (
	"fmt"
	"io/fs"
	"path"
	"strings"
	"time"
)

// Schema is how a store's schema stands against what this program knows.
type Schema struct {
	Version    int // of the store; 0: nothing there yet
	Newest     int // that this program knows
	Migrations []Migration
}

// Migration is one numbered step of a schema.
type Migration struct {
	Number    int
	Name      string    // of the file, without folder and ending
	AppliedAt time.Time // zero: not yet
}

// KnownSchema is what this program knows by its migrations/*.sql, nothing of it
// applied.
func KnownSchema(migrations fs.FS) (schema Schema, err error) {
	files, err := fs.Glob(migrations, "migrations/*.sql")
	for i, file := range files {
		schema.Migrations = append(schema.Migrations, Migration{Number: i + 1, Name: strings.TrimSuffix(path.Base(file), ".sql")})
	}
	schema.Newest = len(files)
	return schema, err
}

// Applied notes that a migration was applied, perhaps one that this program does not
// know. Migrations come in their order.
func (s *Schema) Applied(number int, at time.Time) {
	s.Version = number
	if number <= s.Newest {
		s.Migrations[number-1].AppliedAt = at
	}
}

// RefuseNewer returns an error for a schema that this program does not know.
func (s *Schema) RefuseNewer() error {
	if s.Version > s.Newest {
		return fmt.Errorf("schema version %d is newer than %d, the newest this linegate knows: a newer linegate wrote it", s.Version, s.Newest)
	}
	return nil
}
