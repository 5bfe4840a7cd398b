package dictionary

import (
	"embed"
	"fmt"
)

//go:embed data/*
var data embed.FS

// DocumentationPEN is the Private Enterprise Number that stands for ours until
// an operator configures another (RFC 5612).
const DocumentationPEN uint32 = 32473

// ownVendor is the vendor whose number is configurable.
const ownVendor = "Linegate"

// Standard returns the definitions that come with Linegate. pen, 1 to 16777215,
// is the number under which our own attributes stand.
func Standard(pen uint32) (*Dictionary, error) {
	if pen == 0 || pen > maxPEN {
		return nil, fmt.Errorf("vendor number %d is not allowed: 1 to %d", pen, maxPEN)
	}
	return parse(data, "data/dictionary", map[string]uint32{ownVendor: pen})
}
