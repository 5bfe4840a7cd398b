package main

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"linegate/store/postgres/pgtest"
)

// A database may need longer for its migration than a start waits, here because
// another node holds its lock. The server goes on with it, and fills it too.
func TestAStoreThatIsReadyOnlyAfterTheStartIsFilledThen(t *testing.T) {
	const lockOfSchema = `(1279721473, 0)` // lockSchema of package postgres
	dsn := pgtest.Shared(t).Database(t)
	other, err := pgx.Connect(t.Context(), dsn)
	require.NoError(t, err)
	defer other.Close(t.Context())
	waiting := func() (process int) {
		err := other.QueryRow(t.Context(), `SELECT coalesce(max(pid), 0) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted `+
			`AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`).Scan(&process)
		assert.NoError(t, err)
		return process
	}
	_, err = other.Exec(t.Context(), `SELECT pg_advisory_lock`+lockOfSchema)
	require.NoError(t, err)

	released := make(chan struct{})
	go func() {
		defer close(released)
		first := 0
		assert.Eventually(t, func() bool { first = waiting(); return first != 0 }, time.Minute, 10*time.Millisecond, "the start waits")
		assert.Eventually(t, func() bool { now := waiting(); return now != 0 && now != first }, time.Minute, 10*time.Millisecond, "the server waits, behind the start")
		_, err := other.Exec(t.Context(), `SELECT pg_advisory_unlock`+lockOfSchema)
		assert.NoError(t, err)
	}()
	s := newInstance(t)
	s.env = append(s.env, "LINEGATE_STORE="+dsn, "LINEGATE_KEY_FILE="+filepath.Join(s.folder, "linegate.key"))
	s.run()
	<-released
	s.within(time.Minute, func() bool { return s.login(`User-Name=alice,User-Password=secretpw,`+aliceLine) != "" }, "the demo data is known")
	assert.Contains(t, s.login(`User-Name=alice,User-Password=secretpw,`+aliceLine), "Access-Accept")
}
