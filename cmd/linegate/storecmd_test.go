package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	zombiezen "zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// refused runs a command of the binary that must fail, and returns what it says.
func (s *instance) refused(arguments ...string) string {
	s.Helper()
	command := exec.Command(s.path, arguments...)
	command.Dir, command.Env = s.folder, s.env
	said, err := command.CombinedOutput()
	require.Error(s, err, "%s", said)
	return string(said)
}

func TestAStoreIsBackedUpWhileItServesAndRestoredWhenItDoesNot(t *testing.T) {
	s := startServer(t)
	var told map[string]any
	require.NoError(t, json.Unmarshal([]byte(s.cli("store", "backup", "backup.db", "-o", "json")), &told))
	assert.Equal(t, "backup.db", told["backup"])
	assert.Positive(t, told["octets"])
	assert.Positive(t, told["schema_version"])
	request := `User-Name=alice,User-Password=secretpw,` + aliceLine
	require.Contains(t, s.login(request), "Access-Accept")

	s.cli("profile", "delete", "alice", "--yes")
	assert.Contains(t, s.refused("store", "restore", "backup.db"), "is in use: stop the server, and try again")
	s.stop()
	restored := s.cli("store", "restore", "backup.db")
	assert.Contains(t, restored, "restored_from  backup.db\n")
	kept, err := filepath.Glob(filepath.Join(s.folder, "demo.db.before-restore-*"))
	require.NoError(t, err)
	assert.Len(t, kept, 1)
	s.run()
	assert.Contains(t, s.login(request), "Access-Accept", "alice is back")
}

func TestABackupOfAnotherKeyIsNotRestored(t *testing.T) {
	seeded(t)
	require.NoError(t, run(t, "", "store", "backup", "backup.db").err)
	require.NoError(t, os.Rename("test.db.key", "kept.key"))
	assert.ErrorContains(t, run(t, "", "store", "restore", "backup.db").err, "put it back first")
	assert.NoFileExists(t, "test.db.key", "no key is made for a backup")
	t.Setenv("LINEGATE_STORE", "sqlite:other.db")
	require.NoError(t, run(t, "", "apply", "-f", "isp.yaml").err)
	assert.ErrorContains(t, run(t, "", "store", "restore", "backup.db").err, "another key")
}

func TestPostgreSQLIsBackedUpByItsOwnTools(t *testing.T) {
	freshStore(t)
	t.Setenv("LINEGATE_STORE", "postgres://user:hunter2@db/linegate")
	t.Setenv("LINEGATE_KEY_FILE", "key")
	for command, tool := range map[string]string{"backup": "pg_dump", "restore": "pg_restore"} {
		got := run(t, "", "store", command, "file")
		assert.ErrorContains(t, got.err, tool)
		assert.NotContains(t, got.stderr, "hunter2")
	}
}

func TestASchemaOfANewerProgramIsShownAndLeftAlone(t *testing.T) {
	seeded(t)
	db, err := zombiezen.OpenConn("test.db", zombiezen.OpenReadWrite)
	require.NoError(t, err)
	defer db.Close()
	require.NoError(t, sqlitex.Execute(db, `INSERT INTO schema_version (version, applied_at) VALUES (99, 1)`, nil))
	status := run(t, "", "migrate", "status")
	assert.Contains(t, status.stdout, "0001_initial")
	assert.ErrorContains(t, status.err, "schema version 99 is newer")
	assert.ErrorContains(t, run(t, "", "migrate", "up").err, "schema version 99 is newer")
}

func TestALimitOfSessionsHoldsOnTheWire(t *testing.T) {
	s := startServer(t)
	s.cli("profile", "set", "alice", "--max-sessions", "1")
	login := func(station string) string {
		return s.login(`User-Name=alice,User-Password=secretpw,Calling-Station-Id="` + station + `",` + aliceLine)
	}
	account := func(status, station string) {
		s.radclient(s.acct, "acct", `Acct-Status-Type=`+status+`,Acct-Session-Id=s1,User-Name=alice,Calling-Station-Id="`+station+`",`+aliceLine)
	}
	s.log.await(s, "max_sessions")
	assert.Contains(t, login("02:00:00:00:01:01"), "Access-Accept")
	assert.Contains(t, login("02:00:00:00:01:02"), "as many devices as allowed")
	account("Start", "02:00:00:00:01:01")
	assert.Contains(t, login("02:00:00:00:01:01"), "Access-Accept", "a CPE that comes back")
	assert.Contains(t, s.cli("explain", "--user", "alice", "--circuit", "olt1 xpon 0/1/1", "--remote", "ONT1", "--mac", "02:00:00:00:01:02"), "so many other CPEs are online already")
	account("Stop", "02:00:00:00:01:01")
	_, metrics := s.get("/metrics")
	assert.Contains(t, metrics, `radius_decisions_total{reason="session_limit",tenant_id="demo"} 1`)
}
