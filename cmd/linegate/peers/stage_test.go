package peers

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// subscribersCSV holds two subscribers of the exchange format.
const subscribersCSV = `username,password,circuit_id,remote_id,service_vlan,static_ipv4
alice,pw1,olt1,ONT1,7,100.64.0.1
bob,pw2,olt2,ONT2,8,100.64.0.2
`

func options(t *testing.T) Options {
	return Options{Linegate: "/nowhere/linegate", Rounds: 1, Subscribers: 1000, Many: 2000, Each: time.Second, Progress: t.Output()}
}

func csvFile(t *testing.T) string {
	path := filepath.Join(t.TempDir(), "subs.csv")
	require.NoError(t, os.WriteFile(path, []byte(subscribersCSV), 0o600))
	return path
}

func TestOptionsSayWhatIsAllowed(t *testing.T) {
	good := options(t)
	assert.NoError(t, good.Validate())
	for want, spoil := range map[string]func(*Options){
		`row "fast" is not allowed: echo, users, `: func(o *Options) { o.Rows = []string{"fast"} },
		"1 to 100 rounds":                          func(o *Options) { o.Rounds = 0 },
		"1000 subscribers or more":                 func(o *Options) { o.Subscribers = 10 },
		"many that are more":                       func(o *Options) { o.Many = 100 },
		"a second or more":                         func(o *Options) { o.Each = time.Millisecond },
	} {
		bad := options(t)
		spoil(&bad)
		_, err := Run(t.Context(), bad)
		assert.ErrorContains(t, err, want)
	}
}

func TestRowsNameWhatIsMeasured(t *testing.T) {
	s := newStage(options(t), t.TempDir())
	all := s.measurements()
	for _, row := range rows() {
		for _, name := range []string{row.Figure, row.Against} {
			known := slices.ContainsFunc(all, func(m measurement) bool { return m.name == name })
			assert.True(t, known || name == "", "row %s needs %q, which nobody measures", row.Name, name)
		}
		assert.Equal(t, row.Against == "", row.Unit != "", row.Name)
	}
	for _, m := range all {
		assert.NotEmpty(t, s.wanted(slices.DeleteFunc(rows(), func(r Row) bool { return r.Figure != m.name && r.Against != m.name })), "no row needs %s", m.name)
	}
	assert.Len(t, slices.Compact(slices.Sorted(slices.Values(RowNames()))), len(rows()), "names differ")

	few := options(t)
	few.Rows = []string{"users", "chap"}
	wanted := s.wanted(few.selected())
	assert.Equal(t, []string{onSQLite, freeRADIUSUsers}, serversOf(wanted))
	assert.Len(t, wanted, 3, "what two rows need is measured once")
}

func TestPackagesAreThoseOfTheServers(t *testing.T) {
	assert.Empty(t, missingPackages([]string{echoServer, onSQLite}))
	assert.NoError(t, install(t.Context(), []string{onSQLite}, t.Output()))
}

func TestAServerThatCanNotRunLeavesTheOthers(t *testing.T) {
	s := newStage(options(t), t.TempDir())
	kept, err := s.measure(t.Context(), []measurement{
		{name: accept, unit: microseconds, servers: []string{onSQLite}},
		{name: echoed, unit: microseconds, run: func(context.Context) (float64, error) { return 3, nil }},
		{name: p99, unit: microseconds, run: func(context.Context) (float64, error) { return 0, errors.New("too slow") }},
	})
	require.NoError(t, err)
	assert.Contains(t, kept.failed[accept], "linegate-sqlite: linegate bench subscribers: ")
	assert.Equal(t, []float64{3}, kept.values[echoed])
	assert.Equal(t, "too slow", kept.failed[p99])
	_, err = s.server(t.Context(), onSQLite)
	assert.Error(t, err, "it is not tried again")
	require.NoError(t, s.close())

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = s.measure(ctx, nil)
	assert.ErrorIs(t, err, context.Canceled)
}

func TestAProgramIsStartedAwaitedAndStopped(t *testing.T) {
	folder := t.TempDir()
	p := &program{
		path: "/bin/sh", args: []string{"-c", "echo ready; trap 'exit 0' TERM; while :; do sleep 0.05; done"},
		folder: folder, log: filepath.Join(folder, "log"), end: syscall.SIGTERM,
	}
	assert.NoError(t, p.stop(), "what never ran")
	for range 2 {
		require.NoError(t, p.start(t.Context()))
		require.NoError(t, p.await(t.Context(), p.logged("ready")))
		assert.Positive(t, p.pid())
		require.NoError(t, p.stop())
		assert.NoError(t, p.failure)
	}

	p.args = []string{"-c", "echo sorry; exit 3"}
	require.NoError(t, p.start(t.Context()))
	assert.ErrorContains(t, p.await(t.Context(), p.logged("ready")), "/bin/sh ended (exit status 3): sorry")

	p.args = []string{"-c", "sleep 60"}
	require.NoError(t, p.start(t.Context()))
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	assert.ErrorContains(t, p.await(ctx, p.logged("ready")), "/bin/sh is not ready")
	require.NoError(t, p.stop())

	p.path = "/nowhere"
	assert.Error(t, p.start(t.Context()))
	p.log = folder
	assert.Error(t, p.start(t.Context()))
}

func TestResidentMemoryIsThatOfAProcess(t *testing.T) {
	own, err := residentKiB(os.Getpid())
	require.NoError(t, err)
	assert.Positive(t, own)
	_, err = residentKiB(-1)
	assert.Error(t, err)
}

func TestFreePortsCanBeBound(t *testing.T) {
	port, err := freePort()
	require.NoError(t, err)
	assert.Positive(t, port)
}

func TestTheUsersFileMatchesOnlyTheRightLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "users")
	require.NoError(t, writeUsers(path, csvFile(t)))
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, `alice Cleartext-Password := "pw1", ADSL-Agent-Circuit-Id == 0x6f6c7431, ADSL-Agent-Remote-Id == 0x4f4e5431
	Tunnel-Type = VLAN, Tunnel-Medium-Type = IEEE-802, Tunnel-Private-Group-Id = "7", Framed-IP-Address = 100.64.0.1
bob Cleartext-Password := "pw2", ADSL-Agent-Circuit-Id == 0x6f6c7432, ADSL-Agent-Remote-Id == 0x4f4e5432
	Tunnel-Type = VLAN, Tunnel-Medium-Type = IEEE-802, Tunnel-Private-Group-Id = "8", Framed-IP-Address = 100.64.0.2
`, string(text))
	assert.Error(t, writeUsers(path, "gone.csv"))
	assert.Error(t, writeUsers(t.TempDir(), csvFile(t)))

	require.NoError(t, writeAttributes(path, csvFile(t), func(row map[string]string) [][]string {
		return [][]string{{"Framed-IP-Address", "=", row["static_ipv4"]}}
	}))
	text, err = os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, "alice,Framed-IP-Address,=,100.64.0.1\nbob,Framed-IP-Address,=,100.64.0.2\n", string(text))
}

func TestFreeRADIUSIsConfiguredForOneForm(t *testing.T) {
	for _, sql := range []bool{false, true} {
		folder := t.TempDir()
		require.NoError(t, configureFreeRADIUS(freeRADIUSValues{
			Folder: folder, Library: "/lib/fr", Secret: secret, AuthPort: 1812, AcctPort: 1813, SQL: sql, Shipped: "/shipped", DatabasePort: "5432",
		}))
		text, err := os.ReadFile(filepath.Join(folder, "radiusd.conf"))
		require.NoError(t, err)
		config := string(text)
		assert.Equal(t, sql, strings.Contains(config, `dialect = "postgresql"`))
		assert.Equal(t, sql, strings.Contains(config, "$INCLUDE /shipped/queries.conf"))
		assert.Equal(t, !sql, strings.Contains(config, "filename = "+folder+"/users"))
		assert.Contains(t, config, "secret = testing123\n")
		assert.Contains(t, config, "require_message_authenticator = yes")
		assert.Equal(t, strings.Count(config, "{"), strings.Count(config, "}"))
	}
	assert.Error(t, configureFreeRADIUS(freeRADIUSValues{Folder: "/nowhere"}))
}

func TestTheFirstSubscriberIsRead(t *testing.T) {
	first, err := firstSubscriber(csvFile(t))
	require.NoError(t, err)
	assert.Equal(t, "alice", first["username"])
	assert.Equal(t, "ONT1", first["remote_id"])
	_, err = firstSubscriber("gone.csv")
	assert.Error(t, err)
	empty := filepath.Join(t.TempDir(), "empty")
	require.NoError(t, os.WriteFile(empty, nil, 0o600))
	_, err = firstSubscriber(empty)
	assert.Error(t, err)
}

func TestADatabaseIsReachedByItsPort(t *testing.T) {
	database := &program{args: []string{"-D", "x", "-p", "5433", "-k", "y"}}
	assert.Equal(t, "postgres://postgres@127.0.0.1:5433/postgres?sslmode=disable", dsn(database))
}
