package dictionary

// Open appends what stands before an attribute's value in a packet, with lengths
// that Close sets. Nothing is allocated. A tag, where the value has one, is the
// caller's to append.
func (a *Attribute) Open(dst []byte) []byte {
	if a.Vendor == 0 {
		if holder := a.extension(); holder != nil {
			dst = append(dst, byte(holder.Number), 0, byte(a.Number))
			if holder.Type == TypeLongExtended {
				dst = append(dst, 0) // flags: nothing continues
			}
			return dst
		}
		return append(dst, byte(a.Number), 0)
	}
	dst = append(dst, vendorSpecific, 0)
	dst = appendWidth(dst, 4, a.Vendor)
	return a.layout.append(dst, a.Number, nil)
}

// Close sets the lengths of the attribute that Open began at dst[start]. ok is
// false when it is longer than an attribute can be; dst is then as before Open.
func (a *Attribute) Close(dst []byte, start int) (out []byte, ok bool) {
	size := len(dst) - start
	if size > 255 {
		return dst[:start], false
	}
	dst[start+1] = byte(size)
	if a.Vendor != 0 {
		inner := size - vendorHeaderSize
		at := start + vendorHeaderSize + a.layout.typeSize
		for i := a.layout.lengthSize - 1; i >= 0; i-- {
			dst[at+i] = byte(inner)
			inner >>= 8
		}
	}
	return dst, true
}

// Next takes the first sub-attribute out of the data of the attribute's vendor. ok
// is false when there is none, or it is not framed as this vendor does it.
func (a *Attribute) Next(data []byte) (number uint32, value, rest []byte, ok bool) {
	part, rest, ok := a.layout.next(data)
	return part.number, part.value, rest, ok
}

// Outer is the type of the attribute in packets that a stands in: its own number,
// that of Vendor-Specific, or of the extended attribute (RFC 6929) around it. ok is
// false for one that lies deeper.
func (a *Attribute) Outer() (attributeType uint8, ok bool) {
	switch {
	case a.extension() != nil:
		return byte(a.extension().Number), true
	case a.Parent != nil:
		return 0, false
	case a.Vendor != 0:
		return vendorSpecific, true
	}
	return byte(a.Number), true
}

// Within returns the value of an extended attribute in the value of the one around
// it. ok is false when another lies there, or one that continues elsewhere.
func (a *Attribute) Within(value []byte) (inner []byte, ok bool) {
	holder := a.extension()
	if holder == nil || len(value) == 0 || uint32(value[0]) != a.Number {
		return nil, false
	}
	if holder.Type == TypeExtended {
		return value[1:], true
	}
	if len(value) < 2 || value[1]&moreFlag != 0 {
		return nil, false
	}
	return value[2:], true
}

// moreFlag says that a long extended attribute goes on in the next one (RFC 6929
// section 2.2).
const moreFlag = 0x80

// extension returns the extended attribute that a is directly in, nil for any other.
func (a *Attribute) extension() *Attribute {
	if a.Vendor == 0 && a.Parent != nil && (a.Parent.Type == TypeExtended || a.Parent.Type == TypeLongExtended) {
		return a.Parent
	}
	return nil
}
