package dictionary

import (
	"encoding/binary"
	"fmt"
	"strings"
)

// layout is how a vendor frames its attributes inside Vendor-Specific: the
// widths of type and length in octets, and whether an octet follows that says
// if the value goes on in the next attribute.
type layout struct {
	typeSize   int // 1, 2 or 4
	lengthSize int // 0, 1 or 2; 0: one attribute fills the rest
	continued  bool
}

// parseLayout reads "1,1", "2,2", "4,0", "1,1,c".
func parseLayout(text string) (layout, error) {
	var l layout
	widths, continued := strings.CutSuffix(text, ",c")
	l.continued = continued
	typeSize, lengthSize, _ := strings.Cut(widths, ",")
	switch typeSize {
	case "1", "2", "4":
		l.typeSize = int(typeSize[0] - '0')
	}
	switch lengthSize {
	case "0", "1", "2":
		l.lengthSize = int(lengthSize[0] - '0')
	default:
		l.typeSize = 0
	}
	if l.typeSize == 0 {
		return layout{}, fmt.Errorf("format %q is not allowed: type width 1, 2 or 4, length width 0, 1 or 2, e.g. 1,1", text)
	}
	return l, nil
}

func (l layout) headerSize() int {
	size := l.typeSize + l.lengthSize
	if l.continued {
		size++
	}
	return size
}

// vendorHeaderSize counts type, length and Vendor-Id of a Vendor-Specific
// attribute.
const vendorHeaderSize = 6

// append frames a value that is short enough.
func (l layout) append(dst []byte, attribute uint32, value []byte) []byte {
	size := l.headerSize() + len(value)
	dst = appendWidth(dst, l.typeSize, attribute)
	dst = appendWidth(dst, l.lengthSize, uint32(size))
	if l.continued {
		dst = append(dst, 0)
	}
	return append(dst, value...)
}

// framed is one attribute taken out of a vendor's data.
type framed struct {
	number uint32
	value  []byte
}

// split takes a vendor's data apart; ok is false unless all of it is framed in
// this layout and nothing continues elsewhere.
func (l layout) split(data []byte) (all []framed, ok bool) {
	for len(data) > 0 {
		var part framed
		if part, data, ok = l.next(data); !ok {
			return nil, false
		}
		all = append(all, part)
	}
	return all, len(all) > 0
}

// next takes the first attribute out of a vendor's data.
func (l layout) next(data []byte) (part framed, rest []byte, ok bool) {
	header := l.headerSize()
	if len(data) < header {
		return framed{}, nil, false
	}
	size := len(data)
	if l.lengthSize > 0 {
		size = int(width(data[l.typeSize:], l.lengthSize))
	}
	if size < header || size > len(data) || l.continued && data[header-1] != 0 {
		return framed{}, nil, false
	}
	return framed{number: width(data, l.typeSize), value: data[header:size:size]}, data[size:], true
}

// appendWidth appends a number in so many octets.
func appendWidth(dst []byte, octets int, n uint32) []byte {
	var all [4]byte
	binary.BigEndian.PutUint32(all[:], n)
	return append(dst, all[4-octets:]...)
}

// width reads a number of so many octets.
func width(data []byte, octets int) (n uint32) {
	for _, octet := range data[:octets] {
		n = n<<8 | uint32(octet)
	}
	return n
}
