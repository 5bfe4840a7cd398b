package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"linegate"
	"linegate/store"
	"linegate/store/sqlite"
)

// binaryFolder holds what binary has built; empty: nothing yet.
var binaryFolder string

// binary builds the real thing once for all tests, with the race detector.
var binary = sync.OnceValues(func() (path string, err error) {
	if binaryFolder, err = os.MkdirTemp("", "linegate-e2e-"); err != nil {
		return "", err
	}
	path = filepath.Join(binaryFolder, "linegate")
	if out, err := exec.Command("go", "build", "-race", "-o", path, ".").CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if binaryFolder != "" {
		_ = os.RemoveAll(binaryFolder)
	}
	os.Exit(code)
}

// instance is a running server on free ports, with the demo data.
type instance struct {
	*testing.T
	path    string // of the binary
	folder  string
	env     []string
	command *exec.Cmd
	auth    string
	acct    string
	coa     string
	http    string
	api     string
	log     *logLines
}

// startServer starts the server in a folder of its own, with more variables in its
// environment.
func startServer(t *testing.T, more ...string) *instance {
	t.Helper()
	s := newInstance(t, more...)
	s.run()
	return s
}

// newInstance is a server that is not started yet, with a SQLite store in its
// folder.
func newInstance(t *testing.T, more ...string) *instance {
	t.Helper()
	path, err := binary()
	require.NoError(t, err)
	folder := t.TempDir()
	demo, err := filepath.Abs("../../testdata/demo.yaml")
	require.NoError(t, err)
	return &instance{T: t, path: path, folder: folder, env: append(append(os.Environ(), more...),
		"LINEGATE_LISTEN_AUTH=127.0.0.1:0", "LINEGATE_LISTEN_ACCT=127.0.0.1:0", "LINEGATE_LISTEN_HTTP=127.0.0.1:0",
		"LINEGATE_STORE=sqlite:"+filepath.Join(folder, "demo.db"), "LINEGATE_APPLY_ON_FIRST_START="+demo,
		"LINEGATE_LOG_OPTION82_VALIDATION=all",
		"GORACE=atexit_sleep_ms=0 halt_on_error=1")}
}

// run starts the process and waits until it serves.
func (s *instance) run() {
	s.Helper()
	s.log = &logLines{}
	s.log.arrived.L = &s.log.mu
	s.command = exec.Command(s.path, "serve")
	s.command.Dir, s.command.Env, s.command.Stderr = s.folder, s.env, s.log
	stdout, err := s.command.StdoutPipe()
	require.NoError(s, err)
	require.NoError(s, s.command.Start())
	s.Cleanup(func() {
		_ = s.command.Process.Kill()
		_ = s.command.Wait()
		if s.Failed() {
			lines := s.log.all()
			s.Logf("end of the server's log:\n%s", strings.Join(lines[max(0, len(lines)-200):], "\n"))
		}
	})
	s.readBanner(stdout)
	s.log.await(s, "all subscribers are in memory")
}

var bannerLine = regexp.MustCompile(`^  (auth|acct|coa|http|api) +(?:http://)?([0-9.:]+)`)

// readBanner learns the ports from what serve prints.
func (s *instance) readBanner(stdout io.Reader) {
	lines := bufio.NewScanner(stdout)
	for lines.Scan() {
		if found := bannerLine.FindStringSubmatch(lines.Text()); found != nil {
			*map[string]*string{"auth": &s.auth, "acct": &s.acct, "coa": &s.coa, "http": &s.http, "api": &s.api}[found[1]] = found[2]
		}
		if strings.Contains(lines.Text(), "radclient") {
			go func() { _, _ = io.Copy(io.Discard, stdout) }() // ends with the process
			return
		}
	}
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	require.Fail(s, "serve ended without a banner", "%s", s.log.text.String())
}

// stop asks the server to end and waits for it.
func (s *instance) stop() {
	s.Helper()
	require.NoError(s, s.command.Process.Signal(syscall.SIGTERM))
	assert.NoError(s, s.command.Wait())
}

// cli runs a command of the binary on the server's store.
func (s *instance) cli(arguments ...string) string {
	s.Helper()
	command := exec.Command(s.path, arguments...)
	command.Dir, command.Env = s.folder, s.env
	var stderr bytes.Buffer
	command.Stderr = &stderr
	out, err := command.Output()
	require.NoError(s, err, "%v: %s", arguments, stderr.String())
	return string(out)
}

// failing runs a command that has to end with that status, and returns all it
// prints.
func (s *instance) failing(status int, arguments ...string) string {
	s.Helper()
	command := exec.Command(s.path, arguments...)
	command.Dir, command.Env = s.folder, s.env
	out, err := command.Output()
	exit := (*exec.ExitError)(nil)
	require.ErrorAs(s, err, &exit, "%v: %s", arguments, out)
	assert.Equal(s, status, exit.ExitCode(), "%v: %s", arguments, exit.Stderr)
	if s.Failed() {
		s.Logf("%v: %s%s", arguments, out, exit.Stderr)
	}
	if len(out) == 0 {
		return string(exit.Stderr)
	}
	return string(out)
}

// radclient sends a request with the real radclient and returns what it prints
// of the answer, empty when there was none.
func (s *instance) radclient(address, kind, attributes string) string {
	s.Helper()
	dictionaries := s.dictionaryFolder()
	command := exec.Command("radclient", "-x", "-D", dictionaries, "-r", "1", "-t", "3", address, kind, "testing123")
	command.Stdin = strings.NewReader(attributes + "\n")
	out, err := command.CombinedOutput()
	if _, exited := err.(*exec.ExitError); err != nil && !exited {
		require.NoError(s, err, "radclient is missing: apt-get install freeradius-utils")
	}
	_, received, _ := strings.Cut(string(out), "Received ")
	return received
}

// dictionaryFolder holds a dictionary for radclient that knows its own
// attributes and ours.
func (s *instance) dictionaryFolder() string {
	ours, err := filepath.Abs("../../configs/dictionary.linegate")
	require.NoError(s, err)
	text := "$INCLUDE /usr/share/freeradius/dictionary\n$INCLUDE " + ours + "\n"
	require.NoError(s, os.WriteFile(filepath.Join(s.folder, "dictionary"), []byte(text), 0o600))
	return s.folder
}

func (s *instance) login(attributes string) string { return s.radclient(s.auth, "auth", attributes) }

// get fetches a page of the server's HTTP.
func (s *instance) get(path string) (status int, body string) {
	s.Helper()
	response, err := http.Get("http://" + s.http + path)
	require.NoError(s, err)
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	require.NoError(s, err)
	return response.StatusCode, string(text)
}

// stored returns how many events the store of a server that has ended holds, and
// its sessions by Acct-Session-Id.
func (s *instance) stored() (events int, sessions map[string]*linegate.Session) {
	s.Helper()
	sealer, err := store.OpenKeyFile(filepath.Join(s.folder, "demo.db.key"))
	require.NoError(s, err)
	engine, err := sqlite.Open(s.Context(), filepath.Join(s.folder, "demo.db"), sealer)
	require.NoError(s, err)
	defer func() { assert.NoError(s, engine.Close()) }()
	sessions = map[string]*linegate.Session{}
	require.NoError(s, engine.EachSession(s.Context(), store.SessionFilter{}, func(session *linegate.Session) error {
		sessions[session.AcctSessionID] = session
		return nil
	}))
	events, err = engine.CountAccounting(s.Context())
	require.NoError(s, err)
	return events, sessions
}

// within asks again and again until done, for as long as a change may take.
func (s *instance) within(limit time.Duration, done func() bool, what string) {
	s.Helper()
	require.Eventually(s, done, limit, 20*time.Millisecond, what)
}

// logLines gathers the server's JSON log.
type logLines struct {
	mu      sync.Mutex
	arrived sync.Cond
	text    bytes.Buffer
}

func (l *logLines) Write(chunk []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.arrived.Broadcast()
	return l.text.Write(chunk)
}

func (l *logLines) all() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Split(strings.TrimSpace(l.text.String()), "\n")
}

// await waits for a line that holds the text.
func (l *logLines) await(t *instance, text string) {
	t.Helper()
	timeout := time.AfterFunc(60*time.Second, func() {
		_ = t.command.Process.Kill()
		l.arrived.Broadcast()
	})
	defer timeout.Stop()
	l.mu.Lock()
	defer l.mu.Unlock()
	for !strings.Contains(l.text.String(), text) {
		require.NoError(t, t.command.Process.Signal(syscall.Signal(0)), "the server is gone; its log:\n%s", l.text.String())
		l.arrived.Wait()
	}
}

// events returns the lines of one event.
func (l *logLines) events(t *instance, event string) []map[string]any {
	t.Helper()
	var found []map[string]any
	for _, line := range l.all() {
		var fields map[string]any
		if json.Unmarshal([]byte(line), &fields) == nil && fields["event"] == event {
			found = append(found, fields)
		}
	}
	return found
}
