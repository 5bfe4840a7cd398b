package sqlite_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"linegate"
	"linegate/store"
	"linegate/store/sqlite"
)

var restoredAt = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// putUsers stores subscribers of tenant demo by name.
func putUsers(t *testing.T, s *sqlite.Store, names ...string) {
	t.Helper()
	require.NoError(t, s.Update(t.Context(), "test", func(tx store.Tx) error {
		if _, err := tx.PutTenant(linegate.Tenant{Name: "demo"}); err != nil {
			return err
		}
		for _, name := range names {
			if _, err := tx.PutSubscriber(&linegate.Subscriber{Tenant: "demo", Username: name,
				Credential: linegate.Credential{Kind: linegate.CredentialCleartext, Value: "secretpw"}}); err != nil {
				return err
			}
		}
		return nil
	}))
}

func users(t *testing.T, s *sqlite.Store) (names []string) {
	t.Helper()
	require.NoError(t, s.EachSubscriber(t.Context(), "demo", func(sub *linegate.Subscriber) error {
		assert.Equal(t, linegate.Secret("secretpw"), sub.Credential.Value)
		names = append(names, sub.Username)
		return nil
	}))
	return names
}

// backedUp is a folder with a closed store of alice and bob, and a backup from
// when there was only alice.
func backedUp(t *testing.T) (folder, backup string) {
	folder = t.TempDir()
	backup = filepath.Join(folder, "backup.db")
	s := open(t, folder)
	putUsers(t, s, "alice")
	require.NoError(t, sqlite.Backup(t.Context(), filepath.Join(folder, "linegate.db"), backup))
	putUsers(t, s, "bob")
	require.NoError(t, s.Close())
	return folder, backup
}

func restore(t *testing.T, folder, backup string) (aside string, err error) {
	return sqlite.Restore(t.Context(), filepath.Join(folder, "linegate.db"), backup, sealer(t, folder), restoredAt)
}

func TestABackupIsRestoredAndTheOldStoreKept(t *testing.T) {
	folder, backup := backedUp(t)
	info, err := os.Stat(backup)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode())

	aside, err := restore(t, folder, backup)
	require.NoError(t, err)
	assert.Equal(t, filepath.Join(folder, "linegate.db.before-restore-20260301T120000Z"), aside)
	s := open(t, folder)
	assert.Equal(t, []string{"alice"}, users(t, s))
	id, err := s.ID(t.Context())
	require.NoError(t, err)
	old, err := sqlite.Open(t.Context(), aside, sealer(t, folder))
	require.NoError(t, err)
	defer old.Close()
	assert.Equal(t, []string{"alice", "bob"}, users(t, old))
	oldID, err := old.ID(t.Context())
	require.NoError(t, err)
	assert.Equal(t, oldID, id)
	assert.NoFileExists(t, filepath.Join(folder, "linegate.db.restoring"))
}

func TestABackupIsOneMomentOfAStoreThatIsWrittenTo(t *testing.T) {
	folder := t.TempDir()
	writer := open(t, folder)
	putUsers(t, writer, "a0", "b0")
	var writing sync.WaitGroup
	ended := make(chan struct{})
	writing.Go(func() {
		for i := 1; ; i++ {
			select {
			case <-ended:
				return
			default:
				putUsers(t, writer, fmt.Sprint("a", i), fmt.Sprint("b", i))
			}
		}
	})
	backup := filepath.Join(folder, "backup.db")
	assert.NoError(t, sqlite.Backup(t.Context(), filepath.Join(folder, "linegate.db"), backup))
	close(ended)
	writing.Wait()
	copied, err := sqlite.Open(t.Context(), backup, sealer(t, folder))
	require.NoError(t, err)
	defer copied.Close()
	assert.Zero(t, len(users(t, copied))%2, "no half of a transaction")
}

func TestABackupOverwritesNothing(t *testing.T) {
	folder := t.TempDir()
	open(t, folder)
	path := filepath.Join(folder, "linegate.db")
	there := filepath.Join(folder, "there")
	require.NoError(t, os.WriteFile(there, []byte("precious"), 0o600))
	require.ErrorIs(t, sqlite.Backup(t.Context(), path, there), os.ErrExist)
	text, err := os.ReadFile(there)
	require.NoError(t, err)
	assert.Equal(t, "precious", string(text))

	half := filepath.Join(folder, "half")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, sqlite.Backup(ended, path, half), context.Canceled)
	assert.NoFileExists(t, half)
	require.ErrorContains(t, sqlite.Backup(t.Context(), filepath.Join(folder, "none"), half), "not a linegate store")
	assert.NoFileExists(t, half)
}

func TestWhatCanNotBeRestoredLeavesTheStoreAsItIs(t *testing.T) {
	folder, backup := backedUp(t)
	broken, err := os.ReadFile(backup)
	require.NoError(t, err)
	for i := 5 * 4096; i < 12*4096; i++ {
		broken[i] = 0xa5
	}
	write := func(name string, content []byte) string {
		path := filepath.Join(t.TempDir(), name)
		require.NoError(t, os.WriteFile(path, content, 0o600))
		return path
	}
	stranger := t.TempDir()
	other := open(t, stranger)
	foreign := filepath.Join(stranger, "foreign.db")
	require.NoError(t, sqlite.Backup(t.Context(), filepath.Join(stranger, "linegate.db"), foreign))
	inUse := filepath.Join(stranger, "linegate.db")
	putUsers(t, other, "eve")

	for name, test := range map[string]struct{ backup, wrong string }{
		"a file that is missing":            {filepath.Join(folder, "none"), "no such file"},
		"an empty file":                     {write("empty", nil), "not a backup of a linegate store"},
		"a file that is no database":        {write("text", []byte("username,password\n")), "not a database"},
		"a damaged file":                    {write("broken", broken), "damaged"},
		"a backup of a store of other keys": {foreign, "another key"},
		"a store in use":                    {inUse, "is no backup"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := restore(t, folder, test.backup)
			assert.ErrorContains(t, err, test.wrong)
		})
	}
	left, err := filepath.Glob(filepath.Join(folder, "linegate.db*"))
	require.NoError(t, err)
	assert.Equal(t, []string{filepath.Join(folder, "linegate.db")}, left)
	assert.Equal(t, []string{"alice", "bob"}, users(t, open(t, folder)))
}

func TestAStoreInUseIsNotReplaced(t *testing.T) {
	folder, backup := backedUp(t)
	s := open(t, folder)
	_, err := restore(t, folder, backup)
	require.ErrorContains(t, err, "is in use: stop the server")
	assert.Equal(t, []string{"alice", "bob"}, users(t, s))
	require.NoError(t, s.Close())
	_, err = restore(t, folder, backup)
	assert.NoError(t, err)
}

func TestAStoreThatIsLostOrRuinedIsRestored(t *testing.T) {
	folder, backup := backedUp(t)
	path := filepath.Join(folder, "linegate.db")
	require.NoError(t, os.WriteFile(path, []byte("the disk wrote nonsense over it"), 0o600))
	aside, err := restore(t, folder, backup)
	require.NoError(t, err)
	assert.FileExists(t, aside)
	require.NoError(t, os.Remove(path))
	aside, err = restore(t, folder, backup)
	require.NoError(t, err)
	assert.Empty(t, aside)
	assert.Equal(t, []string{"alice"}, users(t, open(t, folder)))
}

func TestStatusTellsOfEachMigrationAndMakesNothing(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "linegate.db")
	schema, err := sqlite.Status(t.Context(), path)
	require.NoError(t, err)
	assert.Zero(t, schema.Version)
	assert.Equal(t, store.Migration{Number: 1, Name: "0001_initial"}, schema.Migrations[0])
	assert.Len(t, schema.Migrations, schema.Newest)
	assert.NoFileExists(t, path)

	s := open(t, folder)
	schema, err = sqlite.Status(t.Context(), path)
	require.NoError(t, err)
	assert.Equal(t, schema.Newest, schema.Version)
	for _, migration := range schema.Migrations {
		assert.WithinDuration(t, time.Now(), migration.AppliedAt, time.Hour)
	}
	require.NoError(t, s.Close())
	require.NoError(t, os.WriteFile(path, []byte("this is no database file at all, only text"), 0o600))
	_, err = sqlite.Status(t.Context(), path)
	assert.Error(t, err)
}
