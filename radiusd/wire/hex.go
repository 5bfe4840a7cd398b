package wire

import (
	"encoding/hex"
	"fmt"
	"strings"
	"unicode"
)

// ParseHex reads a packet written for people: hex digits with white space
// anywhere, and comments from # to the end of the line. Errors name the line.
func ParseHex(text string) ([]byte, error) {
	var packet []byte
	for number, line := range strings.Split(text, "\n") {
		digits, _, _ := strings.Cut(line, "#")
		digits = strings.Map(func(r rune) rune {
			if unicode.IsSpace(r) {
				return -1
			}
			return r
		}, digits)
		octets, err := hex.DecodeString(digits)
		if err != nil {
			line = strings.TrimSpace(line)
			return nil, fmt.Errorf("line %d: %q is not pairs of hex digits", number+1, line[:min(len(line), 60)])
		}
		packet = append(packet, octets...)
	}
	if len(packet) > MaxPacketSize {
		return nil, fmt.Errorf("packet of %d octets: at most %d are allowed", len(packet), MaxPacketSize)
	}
	return packet, nil
}
