// Package installed finds the PostgreSQL that is installed on this machine, for tests
// and measurements that start one of their own.
package installed

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// Programs returns the folder with initdb, pg_ctl, postgres and psql: that of the
// initdb in PATH, else where pg_config says, else the newest that Debian has.
func Programs() (string, error) {
	var folders []string
	if path, err := exec.LookPath("initdb"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil {
			folders = append(folders, filepath.Dir(path))
		}
	}
	if folder, err := exec.Command("pg_config", "--bindir").Output(); err == nil {
		folders = append(folders, string(bytes.TrimSpace(folder)))
	}
	debian, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	if err != nil {
		return "", err
	}
	for _, folder := range append(folders, newestFirst(debian)...) {
		if _, err := os.Stat(filepath.Join(folder, "pg_ctl")); err == nil {
			return folder, nil
		}
	}
	return "", errors.New("PostgreSQL is not installed: initdb and pg_ctl are neither in PATH nor where pg_config or Debian have them")
}

// newestFirst sorts folders of Debian by the version in their name.
func newestFirst(folders []string) []string {
	version := func(folder string) int {
		number, _ := strconv.Atoi(strings.Split(folder, "/")[4])
		return number
	}
	return slices.SortedFunc(slices.Values(folders), func(a, b string) int { return cmp.Compare(version(b), version(a)) })
}

// Owner is who has to run PostgreSQL, which refuses root; nil: who runs this.
func Owner() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	account, err := user.Lookup("postgres")
	if err != nil {
		return nil, fmt.Errorf("PostgreSQL does not run as root: %w", err)
	}
	uid, errUID := strconv.ParseUint(account.Uid, 10, 32)
	gid, errGID := strconv.ParseUint(account.Gid, 10, 32)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, errors.Join(errUID, errGID)
}

// GiveAway makes a file or folder the owner's; nil changes nothing.
func GiveAway(path string, owner *syscall.Credential) error {
	if owner == nil {
		return nil
	}
	return os.Chown(path, int(owner.Uid), int(owner.Gid))
}
