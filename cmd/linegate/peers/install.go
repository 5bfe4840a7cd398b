package peers

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// needed names for each of Debian's packages a file that it brings.
var needed = []struct{ name, brings string }{
	{"freeradius", "/usr/sbin/freeradius"},
	{"freeradius-postgresql", "/usr/lib/*/rlm_sql_postgresql.so"},
	{"freeradius-utils", "/usr/bin/radclient"},
	{"postgresql", "/usr/lib/postgresql/*/bin/initdb"},
}

// install brings what is missing, with apt-get.
func install(ctx context.Context, progress io.Writer) error {
	missing := missingPackages()
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
	if missing := missingPackages(); len(missing) > 0 {
		return fmt.Errorf("apt-get has installed them, and still something of %s is not where it should be", strings.Join(missing, ", "))
	}
	return nil
}

func missingPackages() (missing []string) {
	for _, pack := range needed {
		if found, err := filepath.Glob(pack.brings); err != nil || len(found) == 0 {
			missing = append(missing, pack.name)
		}
	}
	return missing
}
