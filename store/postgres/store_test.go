package postgres_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"linegate/store"
	"linegate/store/postgres"
	"linegate/store/postgres/pgtest"
	"linegate/store/storetest"
)

func sealer(t testing.TB, folder string) *store.Sealer {
	t.Helper()
	sealer, err := store.OpenKeyFile(filepath.Join(folder, "key"))
	require.NoError(t, err)
	return sealer
}

// open opens a database, as one node of many does that share a key.
func open(t testing.TB, dsn string, sealer *store.Sealer) *postgres.Store {
	t.Helper()
	s, err := postgres.Open(t.Context(), dsn, sealer, postgres.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { s.Close() })
	return s
}

// openNew opens an empty database of the shared server.
func openNew(t testing.TB) *postgres.Store {
	t.Helper()
	s := open(t, pgtest.Shared(t).Database(t), sealer(t, t.TempDir()))
	require.NoError(t, s.Prepare(t.Context()))
	return s
}

func TestStoreFulfilsTheContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Engine { return openNew(t) })
}

func TestServersOnOneStoreFulfilTheContract(t *testing.T) {
	server := pgtest.Shared(t)
	storetest.RunServers(t, func(t *testing.T) (one, other store.Engine) {
		all := nodes(t, server, "one", "other")
		return all[0], all[1]
	})
}

func TestBookFulfilsTheContract(t *testing.T) {
	storetest.RunBook(t, func(t *testing.T) store.Book { return openNew(t) })
}
