package netboxtest

import (
	"encoding/json"
	"net/http"
	"net/netip"
)

// available lists or takes what is free in a prefix.
func (s *Server) available(r *http.Request, parent *object, what string) recorder {
	if r.Method == http.MethodGet && what == "available-prefixes" {
		blocks := []map[string]any{}
		for _, block := range s.freeBlocks(parent) {
			blocks = append(blocks, map[string]any{"family": 6, "prefix": block.String(), "vrf": nil})
		}
		return recorder{status: 200, body: blocks}
	}
	var body map[string]any
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		return detail(400, err.Error())
	}
	if what == "available-ips" {
		return s.takeIP(parent, body)
	}
	length, ok := body["prefix_length"].(float64)
	if !ok {
		return recorder{status: 400, body: []map[string]any{{"prefix_length": "this field must be int type"}}}
	}
	for _, block := range s.freeBlocks(parent) {
		if block.Bits() <= int(length) {
			return s.add(body, netip.PrefixFrom(block.Addr(), int(length)), s.prefixes, "prefix")
		}
	}
	return s.exhausted()
}

// exhausted is 204 up to 3.1.0, and 409 since.
func (s *Server) exhausted() recorder {
	if !s.since(3, 1, 1) {
		return recorder{status: 204}
	}
	return detail(409, "Insufficient resources are available to satisfy the request")
}

// takeIP takes the first free address: of IPv4 neither the first nor the last, of
// IPv6 not the first.
func (s *Server) takeIP(parent *object, body map[string]any) recorder {
	taken := map[netip.Addr]bool{}
	for _, o := range s.ips {
		taken[o.prefix.Addr()] = true
	}
	for address := parent.prefix.Addr().Next(); parent.prefix.Contains(address); address = address.Next() {
		last := address.Is4() && !parent.prefix.Contains(address.Next())
		if taken[address] || last {
			continue
		}
		bits := parent.prefix.Bits()
		if length, ok := body["prefix_length"].(float64); ok && s.since(4, 5, 1) {
			bits = int(length)
		}
		return s.add(body, netip.PrefixFrom(address, bits), s.ips, "address")
	}
	return s.exhausted()
}

// freeBlocks returns the largest blocks of a parent that no other prefix has a part of.
func (s *Server) freeBlocks(parent *object) []netip.Prefix {
	return s.freeWithin(parent.prefix, parent)
}

func (s *Server) freeWithin(block netip.Prefix, parent *object) []netip.Prefix {
	overlaps := false
	for _, o := range s.prefixes {
		if o == parent || !o.prefix.Overlaps(block) || o.prefix.Bits() <= parent.prefix.Bits() {
			continue
		}
		if o.prefix.Bits() <= block.Bits() {
			return nil
		}
		overlaps = true
	}
	if !overlaps {
		return []netip.Prefix{block}
	}
	octets := block.Addr().AsSlice()
	octets[block.Bits()/8] |= 0x80 >> (block.Bits() % 8)
	high, _ := netip.AddrFromSlice(octets)
	return append(s.freeWithin(netip.PrefixFrom(block.Addr(), block.Bits()+1), parent), s.freeWithin(netip.PrefixFrom(high, block.Bits()+1), parent)...)
}
