package config

import (
	"math/bits"
	"net"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// hostRule is a host name as RFC 1123 has it, roughly: it is the resolver that
// decides.
var hostRule = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$`)

// isAddress reports whether text is a listen address: a host (or none, for every
// address of the machine) and a port, 0 for any free one.
func isAddress(text string) bool {
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		return false
	}
	if _, ok := number(port, 0, 65535); !ok {
		return false
	}
	if strings.Contains(host, ":") {
		_, err := netip.ParseAddr(host)
		return err == nil
	}
	if strings.Trim(host, "0123456789.") == "" && host != "" {
		_, err := netip.ParseAddr(host)
		return err == nil
	}
	return host == "" || hostRule.MatchString(host)
}

// number reads a decimal in [least, most].
func number(text string, least, most uint64) (uint64, bool) {
	value, err := strconv.ParseUint(text, 10, 64)
	return value, err == nil && value >= least && value <= most
}

const day = 24 * time.Hour

// days reads a duration in days, e.g. 90d, or as time.ParseDuration does.
func days(text string) (time.Duration, bool) {
	if digits, found := strings.CutSuffix(text, "d"); found {
		count, ok := number(digits, 0, 100_000)
		return time.Duration(count) * day, ok
	}
	value, err := time.ParseDuration(text)
	return value, err == nil
}

// octets reads a number of octets in [least, most], with or without a binary unit.
func octets(text string, least, most uint64) (int64, bool) {
	shift := 0
	for i, unit := range []string{"KiB", "MiB", "GiB", "TiB"} {
		if digits, found := strings.CutSuffix(text, unit); found {
			text, shift = strings.TrimSpace(digits), 10*(i+1)
		}
	}
	value, ok := number(text, 0, 1<<62)
	if !ok || bits.Len64(value)+shift > 62 {
		return 0, false
	}
	value <<= shift
	return int64(value), value >= least && value <= most
}
