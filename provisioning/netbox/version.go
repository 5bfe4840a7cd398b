package netbox

import (
	"fmt"
	"strconv"
	"strings"
)

// version is that of the NetBox server: major, minor and patch.
type version [3]int

// parseVersion reads e.g. "3.7.8-Docker-2.8.0": what follows the numbers is a
// build of somebody's.
func parseVersion(text string) (v version, err error) {
	digits, _, _ := strings.Cut(text, "-")
	parts := strings.SplitN(digits, ".", 3)
	if len(parts) < 2 {
		return v, fmt.Errorf("version %q: want e.g. 4.7.3", text)
	}
	for i, part := range parts {
		end := strings.IndexFunc(part, func(r rune) bool { return r < '0' || r > '9' })
		if end >= 0 {
			part = part[:end]
		}
		if v[i], err = strconv.Atoi(part); err != nil {
			return v, fmt.Errorf("version %q: want e.g. 4.7.3", text)
		}
	}
	return v, nil
}

func (v version) String() string { return fmt.Sprintf("%d.%d.%d", v[0], v[1], v[2]) }

// since reports whether the server has what came with a release.
func (v version) since(major, minor, patch int) bool {
	for i, part := range [3]int{major, minor, patch} {
		if v[i] != part {
			return v[i] > part
		}
	}
	return true
}
