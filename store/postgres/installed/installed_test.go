package installed

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestProgramsAreAllInOneFolder(t *testing.T) {
	folder, err := Programs()
	require.NoError(t, err)
	for _, program := range []string{"initdb", "pg_ctl", "postgres", "psql"} {
		_, err := os.Stat(filepath.Join(folder, program))
		assert.NoError(t, err)
	}
}

func TestVersionsAreComparedAsNumbers(t *testing.T) {
	assert.Equal(t, []string{"/usr/lib/postgresql/17/bin", "/usr/lib/postgresql/15/bin", "/usr/lib/postgresql/9.6/bin"},
		newestFirst([]string{"/usr/lib/postgresql/15/bin", "/usr/lib/postgresql/17/bin", "/usr/lib/postgresql/9.6/bin"}))
}

func TestRootDoesNotRunPostgreSQL(t *testing.T) {
	owner, err := Owner()
	require.NoError(t, err)
	if os.Geteuid() != 0 {
		assert.Nil(t, owner)
		return
	}
	require.NotNil(t, owner)
	assert.NotZero(t, owner.Uid)
	folder := t.TempDir()
	require.NoError(t, GiveAway(folder, owner))
	assert.NoError(t, GiveAway(folder, nil))
}
