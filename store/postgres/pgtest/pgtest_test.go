package pgtest_test

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"linegate/store/postgres/pgtest"
)

// ask connects and asks for something simple, within a time.
func ask(t *testing.T, dsn string, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	return conn.Ping(ctx)
}

func TestAServerStopsFreezesAndComesBack(t *testing.T) {
	server := pgtest.New(t, true)
	dsn := server.Database(t)
	require.NoError(t, ask(t, dsn, 30*time.Second))
	for _, mode := range []string{"fast", "immediate"} {
		server.Stop(t, mode)
		require.Error(t, ask(t, dsn, 30*time.Second), mode)
		server.Start(t)
		require.NoError(t, ask(t, dsn, 30*time.Second), mode)
	}
	server.Freeze(t)
	require.ErrorIs(t, ask(t, dsn, 200*time.Millisecond), context.DeadlineExceeded)
	server.Thaw(t)
	require.NoError(t, ask(t, dsn, 30*time.Second))
}

func TestConnectionsCanBeCut(t *testing.T) {
	server := pgtest.New(t, false)
	conn, err := pgx.Connect(t.Context(), server.Database(t))
	require.NoError(t, err)
	server.CutConnections(t)
	assert.Error(t, conn.Ping(t.Context()))
}

func TestEveryTestHasADatabaseOfItsOwn(t *testing.T) {
	server := pgtest.Shared(t)
	assert.NotEqual(t, server.Database(t), server.Database(t))
	assert.NoError(t, ask(t, server.Database(t), 30*time.Second))
}

func TestADatabaseIsReachedByEitherFormOfDSN(t *testing.T) {
	t.Setenv(pgtest.DSNVariable, "host=db.example user=linegate")
	assert.Equal(t, "host=db.example user=linegate dbname=one", pgtest.Shared(t).DSN("one"))
	t.Setenv(pgtest.DSNVariable, "postgres://linegate@db.example/other?sslmode=require")
	assert.Equal(t, "postgres://linegate@db.example/one?sslmode=require", pgtest.Shared(t).DSN("one"))
}
