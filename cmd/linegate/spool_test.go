package main

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
	zombiezen "zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// A large import holds SQLite's writer for seconds. Accounting that comes
// meanwhile is acknowledged from the spool, survives kill -9 there, and is in the
// store exactly once in the end.
func TestAccountingIsAcknowledgedWhileAnotherProcessHoldsTheStore(t *testing.T) {
	s := startServer(t)
	release := s.holdStore()
	s.acknowledgeAll("before the kill", 20)
	s.log.await(s, "it goes to the spool")
	_, metrics := s.get("/metrics")
	assert.Contains(t, metrics, "\nradius_accounting_spool_events 640\n")
	assert.Contains(t, metrics, "\nradius_accounting_spool_limit_bytes 1.073741824e+09\n")
	require.NoError(t, s.command.Process.Kill())
	_ = s.command.Wait() // killed
	release()
	s.run()
	s.log.await(s, "the spool is empty")

	release = s.holdStore()
	s.acknowledgeAll("after it", 10)
	release()
	s.log.await(s, "it goes to the spool")
	s.within(30*time.Second, func() bool {
		status, _ := s.get("/readyz")
		_, metrics := s.get("/metrics")
		return status == http.StatusOK && strings.Contains(metrics, "\nradius_accounting_spool_events 0\n")
	}, "everything is replayed")
	s.stop()

	recorded, stored := s.stored()
	assert.Equal(t, 960, recorded, "each acknowledged record once")
	for sender := range 32 {
		assert.EqualValues(t, 20, stored[fmt.Sprintf("before the kill-%d", sender)].InputOctets)
		assert.EqualValues(t, 10, stored[fmt.Sprintf("after it-%d", sender)].InputOctets)
	}
	left, err := filepath.Glob(filepath.Join(s.folder, "demo.db.spool", "*"))
	require.NoError(t, err)
	assert.Equal(t, []string{filepath.Join(s.folder, "demo.db.spool", "lock")}, left)
}

// acknowledgeAll sends so many Interims from each of 32 sessions, and expects an
// answer to each.
func (s *instance) acknowledgeAll(name string, each uint32) {
	s.Helper()
	var senders errgroup.Group
	for sender := range 32 {
		senders.Go(func() error {
			for octets := uint32(1); octets <= each; octets++ {
				if err := s.interim(s.Context(), fmt.Sprintf("%s-%d", name, sender), octets); err != nil {
					return err
				}
			}
			return nil
		})
	}
	require.NoError(s, senders.Wait())
}

// holdStore takes SQLite's write lock, as an import does, until release is called.
func (s *instance) holdStore() (release func()) {
	s.Helper()
	db, err := zombiezen.OpenConn(filepath.Join(s.folder, "demo.db"), zombiezen.OpenReadWrite) // which waits for locks
	require.NoError(s, err)
	require.NoError(s, sqlitex.Execute(db, `BEGIN IMMEDIATE`, nil))
	return func() { require.NoError(s, db.Close()) } // which rolls back
}

func TestASecondServerDoesNotGetTheSpoolOfTheFirst(t *testing.T) {
	s := startServer(t)
	second := exec.Command(s.path, "serve")
	second.Dir, second.Env = s.folder, s.env
	out, err := second.CombinedOutput()
	require.Error(t, err)
	assert.Contains(t, string(out), "accounting.spool: spool "+filepath.Join(s.folder, "demo.db.spool")+": another process uses it")
}

func TestTheSpoolCanBeOff(t *testing.T) {
	t.Setenv("LINEGATE_ACCOUNTING_SPOOL", "off")
	s := startServer(t)
	s.acknowledgeAll("direct", 1)
	_, metrics := s.get("/metrics")
	assert.NotContains(t, metrics, "radius_accounting_spool_bytes")
	_, err := os.Stat(filepath.Join(s.folder, "demo.db.spool"))
	assert.ErrorIs(t, err, os.ErrNotExist)
}
