package sqlite_test

import (
	"net/netip"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"linegate/store"
	"linegate/store/sqlite"
	"linegate/store/storetest"
)

func sealer(t testing.TB, folder string) *store.Sealer {
	t.Helper()
	sealer, err := store.OpenKeyFile(filepath.Join(folder, "key"))
	require.NoError(t, err)
	return sealer
}

// open opens the database in a folder, with the key beside it.
func open(t testing.TB, folder string) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), filepath.Join(folder, "linegate.db"), sealer(t, folder))
	require.NoError(t, err)
	t.Cleanup(func() { s.Close() })
	return s
}

func TestStoreFulfilsTheContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Engine { return open(t, t.TempDir()) })
}

func TestServersOnOneStoreFulfilTheContract(t *testing.T) {
	storetest.RunServers(t, func(t *testing.T) (one, other store.Engine) {
		folder := t.TempDir()
		return open(t, folder), open(t, folder)
	})
}

func TestBookFulfilsTheContract(t *testing.T) {
	storetest.RunBook(t, func(t *testing.T) store.Book { return open(t, t.TempDir()) })
}

func prefix(text string) netip.Prefix { return netip.MustParsePrefix(text) }
