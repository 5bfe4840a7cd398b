package dialect

import (
	"bytes"
	"encoding/hex"

	"linegate"
	"linegate/dictionary"
	"linegate/radiusd/wire"
)

// Scratch is memory for values that a packet holds in another form, such as hex
// digits. The zero value is ready. What ReadLine returned with it lives until the
// next use.
type Scratch struct {
	octets [512]byte
	used   int
}

// form is how a carrier holds a value.
type form uint8

const (
	formOctets   form = iota // as it is
	formText                 // as it is, up to the first NUL
	formHex                  // hex digits
	formOptions              // raw DHCP options; option 82 in them
	formOption82             // the value of option 82
	formOptions6             // raw DHCPv6 options; Interface-Id and Remote-Id in them
	formComposed             // a User-Name made of both, see composedLine
)

// formNames are the words of a dialect file.
func formNames() map[string]form {
	return map[string]form{
		"octets": formOctets, "text": formText, "hex": formHex,
		"dhcp_options": formOptions, "option82": formOption82, "dhcpv6_options": formOptions6,
		"composed": formComposed,
	}
}

// target is what a carrier tells of.
type target uint8

const (
	targetCircuit target = iota
	targetRemote
	targetMAC
	targetVLANs
	targetCount
)

// carrier is an attribute that may tell of the line. Of several for one target the
// one with the lowest rank counts.
type carrier struct {
	attribute *dictionary.Attribute
	outer     uint8  // type of the attribute in packets
	prefix    string // that the value must begin with, and is taken off
	form      form
	grammar   vlanGrammar // with targetVLANs
	target    target
	rank      int
	name      string // for people
}

// vendorCarriers are the carriers in one vendor's attributes.
type vendorCarriers struct {
	pen      uint32
	carriers []carrier
}

// lineReader is a dialect's line, compiled.
type lineReader struct {
	wanted  [256]bool // attribute types that any carrier has
	plain   []carrier // outside of Vendor-Specific
	vendors []vendorCarriers
	writers [2]*carrier // what AppendLine writes circuit-id and remote-id with; nil: it can't
}

// newLineReader compiles carriers that stand in their order.
func newLineReader(carriers []carrier) *lineReader {
	r := &lineReader{}
	for i := range carriers {
		c := carriers[i]
		r.wanted[c.outer] = true
		if c.target <= targetRemote && r.writers[c.target] == nil && c.form != formComposed {
			r.writers[c.target] = &carriers[i]
		}
		if c.attribute.Vendor == 0 {
			r.plain = append(r.plain, c)
			continue
		}
		r.addVendor(c)
	}
	return r
}

func (r *lineReader) addVendor(c carrier) {
	for i := range r.vendors {
		if r.vendors[i].pen == c.attribute.Vendor {
			r.vendors[i].carriers = append(r.vendors[i].carriers, c)
			return
		}
	}
	r.vendors = append(r.vendors, vendorCarriers{pen: c.attribute.Vendor, carriers: []carrier{c}})
}

// reading is what was found in a packet so far.
type reading struct {
	line  linegate.AccessLine
	rank  [targetCount]int // of what counts now, plus one; 0: nothing yet
	space *Scratch
}

// ReadLine returns the line as the NAS passed it on. Values point into the packet,
// or into scratch where the packet holds them in another form.
func (d *Dialect) ReadLine(packet wire.Packet, scratch *Scratch) linegate.AccessLine {
	scratch.used = 0
	found := reading{space: scratch}
	for attribute := range packet.Attributes() {
		if !d.line.wanted[attribute.Type] {
			continue
		}
		if vendor, data, ok := attribute.Vendor(); ok {
			d.line.readVendor(&found, vendor, data)
			continue
		}
		for i := range d.line.plain {
			c := &d.line.plain[i]
			if c.outer != attribute.Type {
				continue
			}
			value, ok := attribute.Value, true
			if c.attribute.Parent != nil {
				value, ok = c.attribute.Within(value)
			}
			if ok {
				found.take(c, value)
			}
		}
	}
	return found.line
}

func (r *lineReader) readVendor(found *reading, vendor uint32, data []byte) {
	for i := range r.vendors {
		known := &r.vendors[i]
		if known.pen != vendor {
			continue
		}
		framing := known.carriers[0].attribute
		for {
			number, value, rest, ok := framing.Next(data)
			if !ok {
				return
			}
			for j := range known.carriers {
				if c := &known.carriers[j]; c.attribute.Number == number {
					found.take(c, value)
				}
			}
			data = rest
		}
	}
}

// take reads a value and keeps it unless a carrier of a lower rank told already.
func (found *reading) take(c *carrier, value []byte) {
	if !bytes.HasPrefix(value, []byte(c.prefix)) {
		return
	}
	value = value[len(c.prefix):]
	switch c.target {
	case targetMAC:
		if mac, ok := linegate.ParseMAC(value); ok && found.better(c) {
			found.line.MAC = mac
		}
	case targetVLANs:
		if service, inner, ok := c.grammar(value); ok && found.better(c) {
			found.line.ServiceVLAN, found.line.InnerVLAN = service, inner
		}
	default:
		if value = found.decode(c, value); value != nil {
			found.keep(c, value)
		}
	}
}

// better reports whether the carrier counts more than what is known, and notes its
// rank if so. Of one carrier that is there twice the first counts.
func (found *reading) better(c *carrier) bool {
	if known := found.rank[c.target]; known != 0 && known <= c.rank+1 {
		return false
	}
	found.rank[c.target] = c.rank + 1
	return true
}

// keep takes over a circuit-id or remote-id. Carriers that say different things are
// noted, whichever of them counts.
func (found *reading) keep(c *carrier, value []byte) {
	known, carrier := &found.line.CircuitID, &found.line.CircuitCarrier
	if c.target == targetRemote {
		known, carrier = &found.line.RemoteID, &found.line.RemoteCarrier
	}
	before := *carrier
	differs := *known != nil && before != c.name && !linegate.MatchAll.Equal(linegate.Octets(*known), value)
	if found.better(c) {
		*known, *carrier = value, c.name
		if differs {
			found.line.Conflict = before
		}
	} else if differs {
		found.line.Conflict = c.name
	}
}

// decode returns a carrier's circuit-id or remote-id; nil: it holds none.
func (found *reading) decode(c *carrier, value []byte) []byte {
	sub, option := byte(subCircuitID), uint16(optionInterfaceID)
	if c.target == targetRemote {
		sub, option = subRemoteID, optionRemoteID
	}
	switch c.form {
	case formText:
		text, _, _ := bytes.Cut(value, []byte{0})
		return text
	case formHex:
		return found.space.unhex(value)
	case formOptions:
		return subOption(relayAgent(value), sub)
	case formOption82:
		return subOption(value, sub)
	case formOptions6:
		value = option6(value, option)
		if option == optionRemoteID && len(value) >= enterpriseSize {
			return value[enterpriseSize:]
		}
		return value
	case formComposed:
		circuit, remote := composedLine(value)
		if c.target == targetRemote {
			return found.space.unhex(remote)
		}
		return found.space.unhex(circuit)
	}
	return value
}

// unhex returns the octets that hex digits stand for; nil when they are none, or
// more than there is room for.
func (s *Scratch) unhex(digits []byte) []byte {
	if digits == nil {
		return nil
	}
	size := hex.DecodedLen(len(digits))
	if s.used+size > len(s.octets) {
		return nil
	}
	space := s.octets[s.used : s.used+size : s.used+size]
	if _, err := hex.Decode(space, digits); err != nil {
		return nil
	}
	s.used += size
	return space
}

// TellsVLANs reports whether the NAS tells the VLANs of a line at all.
func (d *Dialect) TellsVLANs() bool { return d.tellsVLANs }

// AppendLine writes a line as ReadLine reads it, for tools that play the NAS. Where
// one attribute holds both fields it is written once.
func (d *Dialect) AppendLine(dst []byte, line linegate.AccessLine) []byte {
	circuit, remote := d.line.writers[targetCircuit], d.line.writers[targetRemote]
	if circuit != nil && remote != nil && circuit.attribute == remote.attribute && circuit.prefix == remote.prefix {
		return circuit.append(dst, appendSub(appendSub(nil, circuit.form, targetCircuit, line.CircuitID), circuit.form, targetRemote, line.RemoteID))
	}
	if circuit != nil && line.CircuitID != nil {
		dst = circuit.append(dst, appendSub(nil, circuit.form, targetCircuit, line.CircuitID))
	}
	if remote != nil && line.RemoteID != nil {
		dst = remote.append(dst, appendSub(nil, remote.form, targetRemote, line.RemoteID))
	}
	return dst
}

// appendSub writes one field in a carrier's form; nil is left out.
func appendSub(dst []byte, form form, target target, value []byte) []byte {
	sub, option := byte(subCircuitID), byte(optionInterfaceID)
	if target == targetRemote {
		sub, option = subRemoteID, optionRemoteID
	}
	switch {
	case value == nil:
		return dst
	case form == formHex:
		return hex.AppendEncode(dst, value)
	case form == formOptions, form == formOption82:
		return append(append(dst, sub, byte(len(value))), value...)
	case form == formOptions6 && target == targetRemote:
		return append(append(dst, 0, option, 0, byte(enterpriseSize+len(value)), 0, 0, 0, 0), value...)
	case form == formOptions6:
		return append(append(dst, 0, option, 0, byte(len(value))), value...)
	}
	return append(dst, value...)
}

// append frames what appendSub wrote. What is too long for an attribute is left out.
func (c *carrier) append(dst, value []byte) []byte {
	if len(value) == 0 && c.form >= formOptions {
		return dst
	}
	start := len(dst)
	dst = append(c.attribute.Open(dst), c.prefix...)
	if c.form == formOptions {
		dst = append(dst, optionRelayAgent, byte(len(value)))
	}
	dst, _ = c.attribute.Close(append(dst, value...), start)
	return dst
}
