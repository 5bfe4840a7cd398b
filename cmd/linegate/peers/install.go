package peers

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// debianPackage is one that servers need, with a file that it brings.
type debianPackage struct {
	name    string
	brings  string // a pattern
	servers []string
}

func debianPackages() []debianPackage {
	return []debianPackage{
		{"freeradius", "/usr/sbin/freeradius", []string{freeRADIUSUsers, freeRADIUSSQL}},
		{"freeradius-postgresql", "/usr/lib/*/rlm_sql_postgresql.so", []string{freeRADIUSSQL}},
		{"freeradius-utils", "/usr/bin/radclient", []string{freeRADIUSUsers, freeRADIUSSQL}},
		{"postgresql", "/usr/lib/postgresql/*/bin/initdb", []string{freeRADIUSSQL, onPostgres, withManyPostgres}},
	}
}

// install brings what the servers need and is missing, with apt-get.
func install(ctx context.Context, servers []string, progress io.Writer) error {
	missing := missingPackages(servers)
	if len(missing) == 0 {
		return nil
	}
	fmt.Fprintf(progress, "install  %s\n", strings.Join(missing, " "))
	apt, err := exec.LookPath("apt-get")
	if err != nil {
		return fmt.Errorf("there is no apt-get: install what your system calls %s", strings.Join(missing, ", "))
	}
	command := []string{apt}
	if os.Geteuid() != 0 {
		sudo, err := exec.LookPath("sudo")
		if err != nil {
			return fmt.Errorf("not root, and there is no sudo: run apt-get install %s as root", strings.Join(missing, " "))
		}
		command = []string{sudo, "DEBIAN_FRONTEND=noninteractive", apt}
	}
	for _, args := range [][]string{{"update", "-q"}, append([]string{"install", "-q", "-y", "--no-install-recommends"}, missing...)} {
		all := append(command[:len(command):len(command)], args...)
		run := exec.CommandContext(ctx, all[0], all[1:]...)
		run.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		if said, err := run.CombinedOutput(); err != nil {
			return fmt.Errorf("apt-get %s: %w: %s", args[0], err, bytes.TrimSpace(said))
		}
	}
	if missing := missingPackages(servers); len(missing) > 0 {
		return fmt.Errorf("apt-get has installed them, and still something of %s is not where it should be", strings.Join(missing, ", "))
	}
	return nil
}

func missingPackages(servers []string) (missing []string) {
	for _, pack := range debianPackages() {
		wanted := slices.ContainsFunc(pack.servers, func(name string) bool { return slices.Contains(servers, name) })
		if found, err := filepath.Glob(pack.brings); wanted && (err != nil || len(found) == 0) {
			missing = append(missing, pack.name)
		}
	}
	return missing
}
