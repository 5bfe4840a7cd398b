// Package pgtest gives tests a PostgreSQL of their own: a cluster in a temporary
// folder, run from the installed binaries, with a database for each test. It is
// for tests alone. Where PostgreSQL is missing a test fails, it never skips.
package pgtest

import (
	"context"
	"crypto/rand"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// DSNVariable names a PostgreSQL to take instead of a private one. Its user must
// be allowed to make databases.
const DSNVariable = "TEST_POSTGRES_DSN"

// Server is a PostgreSQL that tests may use. It is safe for concurrent use.
type Server struct {
	dsn     string   // of a database that is always there
	cluster *cluster // nil: not ours to stop
}

// shared is one cluster for all tests of a process, which take seconds to start
// it and none of which may stop it. It ends with the process.
var shared = sync.OnceValues(func() (*cluster, error) { return newCluster(false) })

// Shared returns the server that all tests of the process use: the one of
// TEST_POSTGRES_DSN, or a private one.
func Shared(t testing.TB) *Server {
	t.Helper()
	if dsn := os.Getenv(DSNVariable); dsn != "" {
		return &Server{dsn: dsn}
	}
	c, err := shared()
	require.NoError(t, err, "no PostgreSQL for the tests: run `make tools`, or set %s", DSNVariable)
	return &Server{dsn: c.dsn("postgres")}
}

// New starts a private server that the test may stop, freeze and cut off, and
// that ends with the test. A durable one survives also a crash of the machine,
// and so takes as long to commit as in earnest.
func New(t testing.TB, durable bool) *Server {
	t.Helper()
	c, err := newCluster(durable)
	require.NoError(t, err, "no PostgreSQL for the tests: run `make tools`")
	t.Cleanup(c.end)
	return &Server{dsn: c.dsn("postgres"), cluster: c}
}

// DSN returns where a database of the server is reached.
func (s *Server) DSN(database string) string {
	if address, err := url.Parse(s.dsn); err == nil && address.Scheme != "" {
		address.Path = "/" + database
		return address.String()
	}
	return s.dsn + " dbname=" + database
}

// Address returns where a server made by New listens.
func (s *Server) Address() string { return s.cluster.address() }

// Database makes an empty database for the test and returns its DSN.
func (s *Server) Database(t testing.TB) string {
	t.Helper()
	name := "linegate_" + strings.ToLower(rand.Text())
	s.Exec(t, "CREATE DATABASE "+name)
	if s.cluster == nil { // a server that outlasts the test
		t.Cleanup(func() { s.Exec(t, "DROP DATABASE "+name+" WITH (FORCE)") })
	}
	return s.DSN(name)
}

// Exec runs a statement as the server's owner, outside the databases of tests.
func (s *Server) Exec(t testing.TB, statement string) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	conn, err := pgx.Connect(ctx, s.dsn)
	require.NoError(t, err)
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, statement)
	require.NoError(t, err)
}

// CutConnections ends all connections to databases of tests.
func (s *Server) CutConnections(t testing.TB) {
	t.Helper()
	s.Exec(t, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname LIKE 'linegate\_%'`)
}

// Stop ends a server made by New: "fast" cuts connections and tidies up,
// "immediate" is a crash.
func (s *Server) Stop(t testing.TB, mode string) {
	t.Helper()
	require.NoError(t, s.cluster.stop(mode))
}

// Start starts a stopped server again, on the same port.
func (s *Server) Start(t testing.TB) {
	t.Helper()
	require.NoError(t, s.cluster.start())
}

// Freeze halts all processes of a server made by New: connections stay and
// nothing answers.
func (s *Server) Freeze(t testing.TB) {
	t.Helper()
	require.NoError(t, s.cluster.freeze())
}

// Thaw lets a frozen server go on.
func (s *Server) Thaw(t testing.TB) {
	t.Helper()
	require.NoError(t, s.cluster.thaw())
}
