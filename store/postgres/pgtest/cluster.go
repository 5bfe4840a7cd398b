package pgtest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"linegate/store/postgres/installed"
)

// cluster is a PostgreSQL in a temporary folder.
type cluster struct {
	binaries string
	folder   string
	port     int
	owner    *syscall.Credential // of its processes; nil: ours
	settings []string            // as the command line of postgres has them
	guard    io.Closer
}

// newCluster makes a cluster and starts it.
func newCluster(durable bool) (*cluster, error) {
	binaries, err := installed.Programs()
	if err != nil {
		return nil, err
	}
	c := &cluster{binaries: binaries}
	if !durable {
		c.settings = []string{"-c fsync=off"} // what a crash of PostgreSQL alone does not need
	}
	if err = c.prepare(); err == nil {
		err = c.start()
	}
	if err != nil {
		c.end()
		return nil, err
	}
	return c, nil
}

// prepare makes the folder with an empty cluster in it.
func (c *cluster) prepare() (err error) {
	if c.folder, err = os.MkdirTemp("", "linegate-pg-"); err != nil {
		return err
	}
	if err := c.watch(); err != nil {
		return err
	}
	if c.owner, err = installed.Owner(); err != nil {
		return err
	}
	if err := installed.GiveAway(c.folder, c.owner); err != nil {
		return err
	}
	if c.port, err = freePort(); err != nil {
		return err
	}
	return c.run("initdb", "-D", c.data(), "-U", "linegate", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync")
}

func freePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port, nil
}

// guardScript outlives the test program, however that ends: it waits for the end
// of its input, of which the program holds the other side, and clears up.
const guardScript = `cat >/dev/null
pid=$(head -n 1 "$1/data/postmaster.pid") && kill -KILL $pid $(cat /proc/$pid/task/$pid/children)
rm -rf "$1"`

func (c *cluster) watch() error {
	guard := exec.Command("sh", "-c", guardScript, "guard", c.folder)
	guard.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	input, err := guard.StdinPipe()
	if err != nil {
		return err
	}
	c.guard = input
	return guard.Start()
}

// end stops the cluster and removes it.
func (c *cluster) end() {
	if c.guard != nil {
		c.guard.Close()
	}
}

func (c *cluster) data() string { return filepath.Join(c.folder, "data") }

func (c *cluster) address() string { return "127.0.0.1:" + strconv.Itoa(c.port) }

func (c *cluster) dsn(database string) string {
	return "postgres://linegate@" + c.address() + "/" + database + "?sslmode=disable"
}

func (c *cluster) start() error {
	settings := append([]string{
		"-p " + strconv.Itoa(c.port), "-k " + c.folder, "-c listen_addresses=127.0.0.1", "-c max_connections=300",
	}, c.settings...)
	return c.run("pg_ctl", "start", "-w", "-t", "300", "-s", "-D", c.data(), "-l", filepath.Join(c.folder, "log"), "-o", strings.Join(settings, " "))
}

func (c *cluster) stop(mode string) error {
	return c.run("pg_ctl", "stop", "-w", "-t", "300", "-s", "-D", c.data(), "-m", mode)
}

// run runs a program of PostgreSQL to its end. What it prints goes to a file,
// since a server that it starts would keep a pipe open.
func (c *cluster) run(program string, args ...string) error {
	printed, err := os.OpenFile(filepath.Join(c.folder, "printed"), os.O_CREATE|os.O_RDWR|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer printed.Close()
	cmd := exec.Command(filepath.Join(c.binaries, program), args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = c.folder, printed, printed
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: c.owner}
	if err := cmd.Run(); err != nil {
		said, _ := os.ReadFile(printed.Name())
		return fmt.Errorf("%s: %w: %s", program, err, bytes.TrimSpace(said))
	}
	return nil
}

func (c *cluster) freeze() error {
	postmaster, err := c.postmaster()
	if err != nil {
		return err
	}
	if err := syscall.Kill(postmaster, syscall.SIGSTOP); err != nil { // first, so that it makes no more children
		return err
	}
	return signalChildren(postmaster, syscall.SIGSTOP)
}

func (c *cluster) thaw() error {
	postmaster, err := c.postmaster()
	if err != nil {
		return err
	}
	return errors.Join(signalChildren(postmaster, syscall.SIGCONT), syscall.Kill(postmaster, syscall.SIGCONT))
}

// postmaster returns the server's first process, the parent of all others.
func (c *cluster) postmaster() (int, error) {
	file, err := os.ReadFile(filepath.Join(c.data(), "postmaster.pid"))
	if err != nil {
		return 0, err
	}
	pid, _, _ := strings.Cut(string(file), "\n")
	return strconv.Atoi(pid)
}

func signalChildren(parent int, signal syscall.Signal) error {
	list, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", parent, parent))
	if err != nil {
		return err
	}
	for _, field := range strings.Fields(string(list)) {
		pid, err := strconv.Atoi(field)
		if err != nil {
			return err
		}
		if err := syscall.Kill(pid, signal); err != nil && !errors.Is(err, syscall.ESRCH) {
			return err
		}
	}
	return nil
}
