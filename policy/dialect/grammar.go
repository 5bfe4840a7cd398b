package dialect

import (
	"bytes"

	"linegate"
)

// vlanGrammar reads the VLANs that a NAS writes into a text such as NAS-Port-Id.
// inner is 0 where there is a single tag. ok is false for a text that isn't in the
// grammar, or whose outer VLAN is none that can be.
type vlanGrammar func(text []byte) (service, inner linegate.VLAN, ok bool)

// vlanGrammars returns the grammars by name.
func vlanGrammars() map[string]vlanGrammar {
	return map[string]vlanGrammar{
		"colon":  colonVLANs,
		"dotted": dottedVLANs,
		"slash":  slashVLANs,
		"keyed":  keyedVLANs,
	}
}

// colonVLANs reads what follows the last colon, up to a blank: 1/1/3:100.200,
// ge-1/0/1.100:100-200, slot/subslot/port:100, with text before and after.
func colonVLANs(text []byte) (service, inner linegate.VLAN, ok bool) {
	at := bytes.LastIndexByte(text, ':')
	if at < 0 {
		return 0, 0, false
	}
	tail := text[at+1:]
	if blank := bytes.IndexByte(tail, ' '); blank >= 0 {
		tail = tail[:blank]
	}
	return vlanPair(tail, ".-")
}

// dottedVLANs reads the interface name of a Linux router: eth1.100.200, eth1.100.
func dottedVLANs(text []byte) (service, inner linegate.VLAN, ok bool) {
	at := bytes.IndexByte(text, '.')
	if at < 1 {
		return 0, 0, false
	}
	return vlanPair(text[at+1:], ".")
}

// slashVLANs reads what follows the last slash: 0/0/2/50.1957.
func slashVLANs(text []byte) (service, inner linegate.VLAN, ok bool) {
	at := bytes.LastIndexByte(text, '/')
	if at < 0 || bytes.IndexByte(text[at:], '.') < 0 {
		return 0, 0, false // without a second number the last one is a port
	}
	return vlanPair(text[at+1:], ".")
}

// keyedVLANs reads slot=1;subslot=0;port=3;vlanid=100;vlanid2=200; where a vlanid2
// of 0, or none, is a single tag.
func keyedVLANs(text []byte) (service, inner linegate.VLAN, ok bool) {
	outer, found := keyed(text, "vlanid")
	service, valid := vlan(outer)
	if !found || !valid {
		return 0, 0, false
	}
	second, found := keyed(text, "vlanid2")
	if !found || len(second) == 1 && second[0] == '0' {
		return service, 0, true
	}
	inner, ok = vlan(second)
	return service, inner, ok
}

// keyed returns the value of key=value; in a text.
func keyed(text []byte, key string) (value []byte, found bool) {
	for len(text) > 0 {
		var entry []byte
		entry, text, _ = bytes.Cut(text, []byte{';'})
		name, value, hasValue := bytes.Cut(entry, []byte{'='})
		if hasValue && string(bytes.TrimSpace(name)) == key {
			return bytes.TrimSpace(value), true
		}
	}
	return nil, false
}

// vlanPair reads S, or S and C with one of the separators between.
func vlanPair(text []byte, separators string) (service, inner linegate.VLAN, ok bool) {
	at := bytes.IndexAny(text, separators)
	if at < 0 {
		service, ok = vlan(text)
		return service, 0, ok
	}
	service, ok = vlan(text[:at])
	if !ok {
		return 0, 0, false
	}
	inner, ok = vlan(text[at+1:])
	return service, inner, ok
}

// vlan reads a decimal of 1 to 4094.
func vlan(digits []byte) (linegate.VLAN, bool) {
	if len(digits) == 0 || len(digits) > 4 {
		return 0, false
	}
	n := 0
	for _, digit := range digits {
		if digit < '0' || digit > '9' {
			return 0, false
		}
		n = 10*n + int(digit-'0')
	}
	return linegate.VLAN(n), n >= 1 && n <= int(linegate.MaxVLAN)
}

// composedLine reads a User-Name that a NAS composed of circuit-id and remote-id in
// hex, each with its type and length: 000400320001:0106001cf09d7167, or at the end
// of 18c0.4d51.dee2-ae0:139-0004008b000c-0006286ed47b1ca4. Texts whose lengths
// don't agree are something else.
func composedLine(text []byte) (circuit, remote []byte) {
	at := bytes.LastIndexAny(text, ":-")
	if at < 0 {
		return nil, nil
	}
	remote, before := text[at+1:], text[:at]
	circuit = before[bytes.LastIndexAny(before, ":-")+1:]
	if !typedHex(circuit) || !typedHex(remote) {
		return nil, nil
	}
	return circuit, remote
}

// typedHex reports whether a text is hex of a type 0 or 1, a length, and as many
// octets.
func typedHex(text []byte) bool {
	if len(text) < 4 || len(text)%2 != 0 || text[0] != '0' || text[1] != '0' && text[1] != '1' {
		return false
	}
	for _, digit := range text {
		if _, ok := unhex(digit); !ok {
			return false
		}
	}
	high, _ := unhex(text[2])
	low, _ := unhex(text[3])
	return int(high<<4|low) == len(text)/2-2
}

// unhex reads one hex digit.
func unhex(digit byte) (value byte, ok bool) {
	switch {
	case digit >= '0' && digit <= '9':
		return digit - '0', true
	case digit >= 'a' && digit <= 'f':
		return digit - 'a' + 10, true
	case digit >= 'A' && digit <= 'F':
		return digit - 'A' + 10, true
	}
	return 0, false
}
