package config

import (
	"net/netip"
	"regexp"
	"strings"

	"linegate"
)

// partBreak parts the PART=VALUE of a value that was a mapping: values may hold
// blanks there.
const partBreak = "\n"

// secretValue is the secret within a client's text.
var secretValue = regexp.MustCompile(`(?m)(\bsecret=)[^\n]*`)

// shownClient is a client's text without its secret.
func shownClient(text string) string {
	return strings.ReplaceAll(secretValue.ReplaceAllString(text, "${1}…"), partBreak, " ")
}

// splitParts takes a value of several parts apart.
func splitParts(text string) []string {
	if strings.Contains(text, partBreak) {
		return strings.Split(text, partBreak)
	}
	return strings.Fields(text)
}

// parseClient reads a client of the relay; ok is false when a part is missing,
// unknown or not allowed.
func parseClient(text string) (client CoAClient, ok bool) {
	for _, part := range splitParts(text) {
		name, value, _ := strings.Cut(part, "=")
		switch name {
		case "address":
			client.Address, ok = clientPrefix(value)
			if !ok {
				return client, false
			}
		case "tenant":
			client.Tenant = value
		case "secret":
			client.Secret = linegate.Secret(value)
		case "secret_file":
			client.SecretFile = value
		default:
			return client, false
		}
	}
	oneSecret := (client.Secret == "") != (client.SecretFile == "")
	return client, client.Address.IsValid() && client.Tenant != "" && oneSecret && len(client.Secret) <= 255
}

func clientPrefix(text string) (netip.Prefix, bool) {
	if address, err := netip.ParseAddr(text); err == nil && address.Zone() == "" {
		return netip.PrefixFrom(address.Unmap(), address.Unmap().BitLen()), true
	}
	prefix, err := netip.ParsePrefix(text)
	return prefix, err == nil && prefix == prefix.Masked() && !prefix.Addr().Is4In6()
}

// sourceAddress reads an address to send from; empty is none.
func sourceAddress(text string) (netip.Addr, bool) {
	if text == "" {
		return netip.Addr{}, true
	}
	address, err := netip.ParseAddr(text)
	return address.Unmap(), err == nil && !address.IsUnspecified()
}
