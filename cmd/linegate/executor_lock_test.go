package main

import (
	"bytes"
	"context"
	"net/http"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"linegate"
	"linegate/cmd/linegate/config"
	"linegate/provisioning/netbox/netboxtest"
	"linegate/store/postgres/pgtest"
)

const executes = "orders are carried out here"

// The lock of PostgreSQL ends with its holder, so that another process on the same
// database finishes the order that the killed one was at.
func TestTheExecutorsLockPassesOnWhenItsHolderIsKilled(t *testing.T) {
	reached, release := make(chan struct{}, 8), make(chan struct{})
	netBoxThatWaits(t, reached, release)
	dsn := pgtest.Shared(t).Database(t)
	spool := func() string { return "LINEGATE_ACCOUNTING_SPOOL=" + filepath.Join(t.TempDir(), "spool") }
	first, b := provisionedInstance(t, "LINEGATE_STORE="+dsn, "LINEGATE_KEY_FILE="+filepath.Join(t.TempDir(), "linegate.key"), spool())
	first.log.await(first, executes)
	second := newInstance(t)
	second.env = append(slices.Clone(first.env), spool())
	second.run()
	held, _, err := becomeExecutor(t.Context(), config.Config{Store: dsn})
	require.NoError(t, err)
	require.Nil(t, held, "the first server has the lock")

	var said bytes.Buffer
	order := exec.Command(second.path, "provision", "subscriber", "-f", second.order("provision", "crm-1"))
	order.Dir, order.Env, order.Stdout, order.Stderr = second.folder, second.env, &said, &said
	require.NoError(t, order.Start())
	<-reached
	assert.NotContains(t, strings.Join(second.log.all(), "\n"), executes)
	require.NoError(t, first.command.Process.Kill())
	_ = first.command.Wait() // killed
	close(release)

	second.log.await(second, executes)
	require.NoError(t, order.Wait(), "%s", said.String())
	assert.Contains(t, said.String(), "done")
	assert.Contains(t, second.cli("provision", "show", "demo/crm-1"), "done")
	assert.Len(t, managedKeys(t, b), 3, "two addresses and a prefix, each once")
}

// Who loses the connection that the lock stands on must not go on: another may have
// begun.
func TestTheExecutorHearsThatItsLockIsLost(t *testing.T) {
	cluster := pgtest.Shared(t)
	dsn := cluster.Database(t)
	held, release, err := becomeExecutor(t.Context(), config.Config{Store: dsn})
	require.NoError(t, err)
	require.NoError(t, held.Err())
	other, err := pgx.Connect(t.Context(), dsn)
	require.NoError(t, err)
	defer other.Close(t.Context())
	_, err = other.Exec(t.Context(), `SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted`)
	require.NoError(t, err)
	<-held.Done()
	assert.ErrorContains(t, context.Cause(held), "lock of provisioning is lost")
	_ = release() // the connection is gone

	held, release, err = becomeExecutor(t.Context(), config.Config{Store: dsn})
	require.NoError(t, err)
	require.NotNil(t, held, "free for the next")
	require.NoError(t, release())
}

// netBoxThatWaits makes a NetBox that tells of every request to allocate, and answers
// none of them before it is released.
func netBoxThatWaits(t *testing.T, reached chan<- struct{}, release <-chan struct{}) {
	t.Helper()
	server := netboxtest.New([3]int{4, 7, 3})
	t.Cleanup(server.Close)
	t.Setenv("LINEGATE_TEST_NETBOX_URL", server.URL())
	t.Setenv("LINEGATE_TEST_NETBOX_TOKEN", netboxtest.Token1)
	server.SetAfter(func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPost && strings.Contains(r.URL.Path, "/available-") {
			reached <- struct{}{}
			select {
			case <-release:
			case <-r.Context().Done():
			}
		}
		return false
	})
}

// managedKeys are those of everything that NetBox holds for us, with each as often as
// it is held.
func managedKeys(t *testing.T, b netBox) (keys []string) {
	t.Helper()
	require.NoError(t, b.client.Managed(t.Context(), func(a linegate.Allocation) error { keys = append(keys, a.Key); return nil }))
	return keys
}
