package genieacs

import (
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"linegate"
)

var (
	// deviceName lets no character through that the server would read as a pattern.
	deviceName = regexp.MustCompile(`^[A-Za-z0-9_.%-]{1,200}$`)
	serviceID  = regexp.MustCompile(`^[A-Za-z0-9-]{1,64}$`)
	ponASCII   = regexp.MustCompile(`^[A-Za-z]{4}[0-9A-Fa-f]{8}$`)
	vendorID   = regexp.MustCompile(`^[A-Z]{4}$`)
	ponHex     = regexp.MustCompile(`^[0-9A-Fa-f]{16}$`)
	objectID   = regexp.MustCompile(`^[0-9a-f]{24}$`)
)

// serialForms are the ways in which a CPE may report its serial: as given, and a
// PON serial both with its vendor's four letters and in hex (ITU-T G.984.3: four
// characters and four octets).
func serialForms(serial string) []string {
	forms := []string{serial}
	add := func(form string) {
		if !slices.Contains(forms, form) {
			forms = append(forms, form)
		}
	}
	upper := strings.ToUpper(serial)
	switch {
	case ponASCII.MatchString(serial):
		add(upper)
		add(strings.ToUpper(hex.EncodeToString([]byte(upper[:4]))) + upper[4:])
	case ponHex.MatchString(serial):
		vendor, err := hex.DecodeString(upper[:8])
		if err == nil && vendorID.MatchString(string(vendor)) {
			add(upper)
			add(string(vendor) + upper[8:])
		}
	}
	return forms
}

// validate refuses what could reach the server as something else than a name or a
// value.
func validate(s *linegate.CPESettings) error {
	var bad linegate.FieldErrors
	refuse := bad.Refuse
	outOfRange := func(v linegate.VLAN) bool { return v < 1 || v > linegate.MaxVLAN }
	refuse(!serviceID.MatchString(s.ServiceID), "service_id", s.ServiceID, "1 to 64 of A-Z, a-z, 0-9 and dash")
	refuse(!deviceName.MatchString(s.Device), "device", s.Device, "1 to 200 of A-Z, a-z, 0-9, dash, dot, underscore and percent")
	refuse(s.ServiceVLAN > linegate.MaxVLAN, "service_vlan", s.ServiceVLAN, "0 to 4094")
	refuse(s.QinQ && outOfRange(s.ServiceVLAN), "service_vlan", s.ServiceVLAN, "1 to 4094 with qinq")
	refuse(s.QinQ && outOfRange(s.InnerVLAN), "inner_vlan", s.InnerVLAN, "1 to 4094 with qinq")
	refuse(s.IPv4.IsValid() && !s.IPv4.Addr().Is4(), "ipv4", s.IPv4, "an IPv4 address with a length")
	refuse(s.IPv4.IsValid() && s.PPPUsername != "", "ipv4", s.IPv4, "not together with ppp_username")
	refuse(s.IPv4Gateway.IsValid() && !s.IPv4Gateway.Is4(), "ipv4_gateway", s.IPv4Gateway, "an IPv4 address")
	refuse(!plain(s.PPPUsername), "ppp_username", s.PPPUsername, "up to 255 characters without control characters")
	refuse(!plain(s.PPPPassword), "ppp_password", "not shown", "up to 255 characters without control characters")
	if len(bad) > 0 {
		return fmt.Errorf("%w: %w", linegate.ErrRefused, bad)
	}
	return nil
}

func plain(text string) bool {
	return len(text) <= 255 && !strings.ContainsFunc(text, func(r rune) bool { return r < 0x20 || r == 0x7f })
}
