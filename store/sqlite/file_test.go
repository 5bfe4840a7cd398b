package sqlite_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	zombiezen "zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"linegate"
	"linegate/store"
	"linegate/store/sqlite"
)

// TestMain lets the test program be the other process that has the file open.
func TestMain(m *testing.M) {
	switch folder := os.Getenv("LINEGATE_TEST_FOLDER"); os.Getenv("LINEGATE_TEST_PROCESS") {
	case "provision":
		provision(folder)
	case "account":
		account(folder)
	default:
		os.Exit(m.Run())
	}
}

// process starts this program again as another process on the same folder.
func process(t *testing.T, role, folder string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), "LINEGATE_TEST_PROCESS="+role, "LINEGATE_TEST_FOLDER="+folder)
	cmd.Stderr = os.Stderr
	output, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	return cmd, bufio.NewScanner(output)
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func openHere(folder string) *sqlite.Store {
	sealer, err := store.OpenKeyFile(filepath.Join(folder, "key"))
	must(err)
	s, err := sqlite.Open(context.Background(), filepath.Join(folder, "linegate.db"), sealer)
	must(err)
	return s
}

// provision writes subscribers one transaction at a time.
func provision(folder string) {
	s := openHere(folder)
	for i := range 100 {
		must(s.Update(context.Background(), "other", func(tx store.Tx) error {
			_, err := tx.PutSubscriber(password("demo", fmt.Sprintf("other%d", i)))
			return err
		}))
	}
	must(s.Close())
}

// account records batches for ever and prints how many events are acknowledged.
func account(folder string) {
	s := openHere(folder)
	for count := 0; ; count += 10 {
		must(s.RecordAccounting(context.Background(), starts(count, 10)))
		fmt.Println(count + 10)
	}
}

func starts(from, count int) []linegate.AccountingEvent {
	events := make([]linegate.AccountingEvent, count)
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for i := range events {
		events[i] = linegate.AccountingEvent{NAS: linegate.NASKey{Tenant: "demo", Name: "bng"}, Status: linegate.AcctStart,
			At: at, ReceivedAt: at, AcctSessionID: strconv.Itoa(from + i)}
	}
	return events
}

func password(tenant, username string) *linegate.Subscriber {
	return &linegate.Subscriber{Tenant: tenant, Username: username,
		Credential: linegate.Credential{Kind: linegate.CredentialCleartext, Value: "correct-horse-battery"}}
}

// seed makes the tenant demo, its NAS and a subscriber.
func seed(t *testing.T, s *sqlite.Store) {
	t.Helper()
	require.NoError(t, s.Update(t.Context(), "test", func(tx store.Tx) error {
		if err := putMany(tx, 1); err != nil {
			return err
		}
		_, err := tx.PutNAS(linegate.NAS{Tenant: "demo", Name: "bng", Address: prefix("192.0.2.1/32"), Secret: "shared-nas-secret"})
		if err != nil {
			return err
		}
		_, err = tx.PutSubscriber(password("demo", "alice"))
		return err
	}))
}

func TestAnotherProcessWritesTheSameFile(t *testing.T) {
	folder := t.TempDir()
	s := open(t, folder)
	seed(t, s)
	after, err := s.Revision(t.Context())
	require.NoError(t, err)

	cmd, _ := process(t, "provision", folder)
	var here sync.WaitGroup
	here.Go(func() {
		for i := range 50 {
			assert.NoError(t, s.RecordAccounting(t.Context(), starts(i*20, 20)))
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for seen := 0; seen < 100; {
		entries, err := s.Feed(ctx, after, 1000)
		require.NoError(t, err)
		if len(entries) == 0 {
			require.NoError(t, s.Changed(ctx))
			continue
		}
		seen, after = seen+len(entries), entries[len(entries)-1].Revision
	}
	here.Wait()
	require.NoError(t, cmd.Wait())
	count, err := s.CountAccounting(t.Context())
	require.NoError(t, err)
	assert.Equal(t, 1000, count)
	found, err := s.Subscriber(t.Context(), "demo", "other99")
	require.NoError(t, err)
	assert.Equal(t, linegate.Secret("correct-horse-battery"), found.Credential.Value)
}

func TestEveryAcknowledgedEventSurvivesAKill(t *testing.T) {
	folder := t.TempDir()
	cmd, acknowledged := process(t, "account", folder)
	last := 0
	for last < 500 && acknowledged.Scan() {
		last, _ = strconv.Atoi(acknowledged.Text())
	}
	require.NoError(t, cmd.Process.Kill())
	for acknowledged.Scan() { // printed before the kill
		last, _ = strconv.Atoi(acknowledged.Text())
	}
	require.Error(t, cmd.Wait())
	require.GreaterOrEqual(t, last, 500)

	s := open(t, folder)
	count, err := s.CountAccounting(t.Context())
	require.NoError(t, err)
	assert.GreaterOrEqual(t, count, last)
	require.NoError(t, s.RecordAccounting(t.Context(), starts(0, last)), "and sending them all again adds none")
	again, err := s.CountAccounting(t.Context())
	require.NoError(t, err)
	assert.Equal(t, count, again)
}

func TestNoSecretIsInTheFileInClear(t *testing.T) {
	folder := t.TempDir()
	s := open(t, folder)
	seed(t, s)
	for _, closed := range []bool{false, true} {
		if closed {
			require.NoError(t, s.Close())
		}
		files, err := filepath.Glob(filepath.Join(folder, "linegate.db*"))
		require.NoError(t, err)
		require.NotEmpty(t, files)
		var all []byte
		for _, file := range files {
			content, err := os.ReadFile(file)
			require.NoError(t, err)
			all = append(all, content...)
			info, err := os.Stat(file)
			require.NoError(t, err)
			assert.Equal(t, os.FileMode(0o600), info.Mode(), file)
		}
		assert.Contains(t, string(all), "alice", "this is where the data is")
		assert.NotContains(t, string(all), "correct-horse-battery")
		assert.NotContains(t, string(all), "shared-nas-secret")
	}
}

func TestADatabaseSealedWithAnotherKeyIsRefusedWhenOpened(t *testing.T) {
	folder := t.TempDir()
	seed(t, open(t, folder))
	other := t.TempDir()
	_, err := sqlite.Open(t.Context(), filepath.Join(folder, "linegate.db"), sealer(t, other))
	assert.ErrorContains(t, err, filepath.Join(other, "key"))
	assert.ErrorContains(t, err, "another key")
}

// behind opens the database file behind the store's back.
func behind(t *testing.T, folder string) *zombiezen.Conn {
	t.Helper()
	conn, err := zombiezen.OpenConn(filepath.Join(folder, "linegate.db"), zombiezen.OpenReadWrite)
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	return conn
}

func raw(t *testing.T, folder, statement string) {
	t.Helper()
	require.NoError(t, sqlitex.Execute(behind(t, folder), statement, nil))
}

func TestAPasswordMovedToAnotherRowDoesNotOpen(t *testing.T) {
	folder := t.TempDir()
	s := open(t, folder)
	seed(t, s)
	raw(t, folder, `UPDATE subscribers SET credential = (SELECT credential FROM subscribers WHERE username = 'alice')`)
	_, err := s.Subscriber(t.Context(), "demo", "alice")
	require.NoError(t, err)
	_, err = s.Subscriber(t.Context(), "demo", "user000000")
	assert.ErrorIs(t, err, linegate.ErrUnavailable)
	raw(t, folder, `UPDATE nas SET name = 'renamed'`)
	_, err = s.NASes(t.Context(), "demo")
	assert.ErrorContains(t, err, "nas/demo/renamed")
}

func TestThePasswordOfADeletedSubscriberIsDeletedToo(t *testing.T) {
	folder := t.TempDir()
	s := open(t, folder)
	seed(t, s)
	require.NoError(t, s.Update(t.Context(), "test", func(tx store.Tx) error { return tx.DeleteSubscriber("demo", "alice") }))
	statement := behind(t, folder).Prep(`SELECT credential_kind || credential FROM subscribers WHERE username = 'alice'`)
	left, err := sqlitex.ResultText(statement)
	require.NoError(t, err)
	assert.Empty(t, left)
}

func TestASchemaFromANewerProgramIsRefused(t *testing.T) {
	folder := t.TempDir()
	require.NoError(t, open(t, folder).Close())
	raw(t, folder, `INSERT INTO schema_version (version, applied_at) VALUES (99, 0)`)
	_, err := sqlite.Open(t.Context(), filepath.Join(folder, "linegate.db"), sealer(t, folder))
	assert.ErrorContains(t, err, "schema version 99 is newer")
}

func TestOpenMakesFolderAndFileWhateverTheirName(t *testing.T) {
	folder := t.TempDir()
	for _, name := range []string{"new/folder/linegate.db", "a b?c#d%41&e=f.db", "umlaut ü.db", "file:x.db"} {
		path := filepath.Join(folder, name)
		for range 2 { // the second time it is there
			s, err := sqlite.Open(t.Context(), path, sealer(t, folder))
			require.NoError(t, err, name)
			require.NoError(t, s.Close())
		}
		_, err := os.Stat(path)
		assert.NoError(t, err, name)
	}
}

func TestOpenSaysWhatIsWrongWithThePath(t *testing.T) {
	folder := t.TempDir()
	blocker := filepath.Join(folder, "text")
	require.NoError(t, os.WriteFile(blocker, []byte("this is no database, it only looks long enough to be one\n"), 0o600))
	for _, path := range []string{filepath.Join(blocker, "linegate.db"), blocker, folder} {
		_, err := sqlite.Open(t.Context(), path, sealer(t, folder))
		assert.ErrorContains(t, err, path)
	}
}

func TestProcessesThatOpenANewFileTogetherAllSucceed(t *testing.T) {
	folder := t.TempDir()
	key := sealer(t, folder)
	var openers sync.WaitGroup
	for range 8 {
		openers.Go(func() {
			s, err := sqlite.Open(t.Context(), filepath.Join(folder, "linegate.db"), key)
			if assert.NoError(t, err) {
				assert.NoError(t, s.Close())
			}
		})
	}
	openers.Wait()
}

func TestAWriterThatNeverEndsMakesTheStoreUnavailable(t *testing.T) {
	folder := t.TempDir()
	first, second := open(t, folder), open(t, folder)
	seed(t, first)
	err := first.Update(t.Context(), "slow", func(store.Tx) error {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		err := second.RecordAccounting(ctx, starts(0, 1))
		assert.ErrorIs(t, err, linegate.ErrUnavailable)
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		_, err = second.Subscriber(t.Context(), "demo", "alice")
		assert.NoError(t, err, "reading goes on")
		return nil
	})
	require.NoError(t, err)
	assert.NoError(t, second.RecordAccounting(t.Context(), starts(0, 1)))
}

func TestALongListSeesOneMomentAndHoldsNobodyUp(t *testing.T) {
	s := open(t, t.TempDir())
	seed(t, s)
	listed := 0
	require.NoError(t, s.EachSubscriber(t.Context(), "", func(sub *linegate.Subscriber) error {
		listed++
		return s.Update(t.Context(), "meanwhile", func(tx store.Tx) error {
			_, err := tx.PutSubscriber(password("demo", fmt.Sprintf("zz%d", listed)))
			return err
		})
	}))
	assert.Equal(t, 2, listed)
	count, err := s.CountSubscribers(t.Context(), "demo")
	require.NoError(t, err)
	assert.Equal(t, 4, count)
}
