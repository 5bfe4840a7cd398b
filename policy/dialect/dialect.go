// Package dialect is how each NAS vendor says it: the line coming in, the grant
// going out. It reads and writes packets and decides nothing.
package dialect

import (
	"linegate"
	"linegate/radiusd/wire"
)

// Dialect reads the access line out of requests and writes grants into replies.
// It is immutable and safe for concurrent use.
type Dialect struct {
	name string
	pen  uint32 // of our own vendor space
}

// Builtin returns the shipped dialects by name. pen is the private enterprise
// number under which our own attributes are sent, 1 to 16777215.
func Builtin(pen uint32) map[string]*Dialect {
	standard := &Dialect{name: linegate.DefaultDialect, pen: pen}
	return map[string]*Dialect{standard.name: standard}
}

// Name is what a NAS entry calls the dialect.
func (d *Dialect) Name() string { return d.name }

// The DSL-Forum's attributes for the line (RFC 4679 section 3.3.1 and 3.3.2).
const (
	vendorDSLForum    = 3561
	dslAgentCircuitID = 1
	dslAgentRemoteID  = 2
)

// ReadLine returns the line as the NAS passed it on. Values point into the
// packet.
func (d *Dialect) ReadLine(packet wire.Packet) linegate.AccessLine {
	var line linegate.AccessLine
	for attribute := range packet.Attributes() {
		vendor, data, ok := attribute.Vendor()
		if !ok || vendor != vendorDSLForum {
			continue
		}
		for sub := range wire.VendorAttributes(data) {
			switch {
			case sub.Type == dslAgentCircuitID && line.CircuitID == nil:
				line.CircuitID = sub.Value
			case sub.Type == dslAgentRemoteID && line.RemoteID == nil:
				line.RemoteID = sub.Value
			}
		}
	}
	return line
}

// AppendLine writes a line as ReadLine reads it, for tools that play the NAS.
func (d *Dialect) AppendLine(dst []byte, line linegate.AccessLine) []byte {
	if line.CircuitID != nil {
		dst = wire.AppendVendorAttribute(dst, vendorDSLForum, dslAgentCircuitID, line.CircuitID)
	}
	if line.RemoteID != nil {
		dst = wire.AppendVendorAttribute(dst, vendorDSLForum, dslAgentRemoteID, line.RemoteID)
	}
	return dst
}
