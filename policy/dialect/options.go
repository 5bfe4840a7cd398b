package dialect

// Option 82 of DHCP and its sub-options (RFC 3046 section 2), and the two options
// of DHCPv6 that say the same (RFC 8415 section 21.18, RFC 4649 section 3).
const (
	optionPad         = 0
	optionEnd         = 255
	optionRelayAgent  = 82
	subCircuitID      = 1
	subRemoteID       = 2
	optionInterfaceID = 18
	optionRemoteID    = 37
	enterpriseSize    = 4 // octets of the enterprise number before a DHCPv6 remote-id
)

// relayAgent finds option 82 in raw DHCP options: a type and a length octet before
// each value, pad and end without.
func relayAgent(options []byte) []byte {
	for len(options) > 0 {
		switch options[0] {
		case optionPad:
			options = options[1:]
			continue
		case optionEnd:
			return nil
		}
		if len(options) < 2 || 2+int(options[1]) > len(options) {
			return nil
		}
		value := options[2 : 2+int(options[1]) : 2+int(options[1])]
		if options[0] == optionRelayAgent {
			return value
		}
		options = options[2+len(value):]
	}
	return nil
}

// subOption finds a sub-option in the value of option 82; nil: there is none.
func subOption(value []byte, number byte) []byte {
	for len(value) >= 2 && 2+int(value[1]) <= len(value) {
		end := 2 + int(value[1])
		if value[0] == number {
			return value[2:end:end]
		}
		value = value[end:]
	}
	return nil
}

// option6 finds an option in raw DHCPv6 options, two octets each for number and
// length; nil: there is none.
func option6(options []byte, number uint16) []byte {
	for len(options) >= 4 {
		end := 4 + int(options[2])<<8 + int(options[3])
		if end > len(options) {
			return nil
		}
		if uint16(options[0])<<8+uint16(options[1]) == number {
			return options[4:end:end]
		}
		options = options[end:]
	}
	return nil
}
