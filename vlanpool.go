package linegate

import (
	"fmt"
	"slices"
)

// VLANPool is a set of VLANs, or of pairs for QinQ, that services of a tenant
// behind one OLT are given. When a range is full the next one is used.
type VLANPool struct {
	Tenant string
	OLT    string
	Name   string
	Ranges []VLANRange // in the order in which they are filled
}

// VLANRange holds the service VLANs from First to Last. With inner VLANs every
// pair is given once; without, a service VLAN is given Capacity times.
type VLANRange struct {
	First, Last           VLAN
	InnerFirst, InnerLast VLAN // both 0: single tagged
	Capacity              int  // subscribers on one service VLAN, 1 or more; single tagged only
}

// QinQ reports whether the range is one of pairs.
func (r VLANRange) QinQ() bool { return r.InnerFirst != 0 }

// Size is how many services the range can serve.
func (r VLANRange) Size() int {
	outer := int(r.Last) - int(r.First) + 1
	if r.QinQ() {
		return outer * (int(r.InnerLast) - int(r.InnerFirst) + 1)
	}
	return outer * r.Capacity
}

// Size is how many services the pool can serve.
func (p *VLANPool) Size() (size int) {
	for _, r := range p.Ranges {
		size += r.Size()
	}
	return size
}

// Validate returns FieldErrors for everything that can't be stored.
func (p *VLANPool) Validate() error {
	var bad fieldErrors
	for field, name := range map[string]string{"tenant": p.Tenant, "olt": p.OLT, "pool": p.Name} {
		if !nameRule.MatchString(name) {
			bad.add(field, name, nameAllowed)
		}
	}
	if len(p.Ranges) == 0 {
		bad.add("ranges", "", "one or more")
	}
	for i, r := range p.Ranges {
		field := fmt.Sprintf("ranges[%d]", i)
		if r.First < 1 || r.Last > MaxVLAN || r.First > r.Last {
			bad.add(field, fmt.Sprintf("%d-%d", r.First, r.Last), "first to last, of 1 to 4094")
		}
		if (r.InnerFirst == 0) != (r.InnerLast == 0) || r.InnerLast > MaxVLAN || r.InnerFirst > r.InnerLast {
			bad.add(field+".inner", fmt.Sprintf("%d-%d", r.InnerFirst, r.InnerLast), "first to last, of 1 to 4094, or neither")
		}
		if r.QinQ() == (r.Capacity > 0) {
			bad.add(field+".capacity", itoa(int64(r.Capacity)), "1 or more for single tagged ranges, 0 for pairs")
		}
		if slices.ContainsFunc(p.Ranges[:i], func(other VLANRange) bool { return r.overlaps(other) }) {
			bad.add(field, fmt.Sprintf("%d-%d", r.First, r.Last), "service VLANs that no other range of the pool has")
		}
	}
	return bad.err()
}

func (r VLANRange) overlaps(other VLANRange) bool {
	return r.First <= other.Last && other.First <= r.Last
}

// VLANPair is a service VLAN with the inner one of a pair; Inner is 0 without.
type VLANPair struct {
	Outer VLAN `json:"service_vlan"`
	Inner VLAN `json:"inner_vlan,omitempty"`
}

// VLANUsers counts the services that hold each pair.
type VLANUsers map[VLANPair]int

// reservedCount is more than any capacity: a reserved VLAN takes nobody.
const reservedCount = 1 << 20

// Add counts an assignment or reservation.
func (u VLANUsers) Add(a VLANAssignment) {
	u[a.VLANPair]++
	if a.Reserved {
		u[a.VLANPair] += reservedCount
	}
}

// Give returns the lowest pair of the pool that is free; used may hold pairs beyond
// the pool. A full pool is ErrExhausted.
func (p *VLANPool) Give(used VLANUsers) (VLANPair, error) {
	pair, ok := p.next(used)
	if !ok {
		return pair, fmt.Errorf("all %d places are taken: %w", p.Size(), ErrExhausted)
	}
	return pair, nil
}

// Reserve returns why the pair can't be reserved: ErrNotFound when the pool does not
// have it, ErrConflict when somebody holds it.
func (p *VLANPool) Reserve(pair VLANPair, used VLANUsers) error {
	switch {
	case !p.Contains(pair):
		return fmt.Errorf("%d.%d is not in the pool: %w", pair.Outer, pair.Inner, ErrNotFound)
	case used[pair] > 0:
		return fmt.Errorf("%d.%d is in use: %w", pair.Outer, pair.Inner, ErrConflict)
	}
	return nil
}

func (p *VLANPool) next(used VLANUsers) (pair VLANPair, ok bool) {
	for _, r := range p.Ranges {
		for outer := r.First; outer <= r.Last; outer++ {
			if !r.QinQ() {
				if pair = (VLANPair{Outer: outer}); used[pair] < r.Capacity {
					return pair, true
				}
				continue
			}
			for inner := r.InnerFirst; inner <= r.InnerLast; inner++ {
				if pair = (VLANPair{outer, inner}); used[pair] == 0 {
					return pair, true
				}
			}
		}
	}
	return VLANPair{}, false
}

// VLANAssignment is what a service was given of a pool, or what somebody reserved.
type VLANAssignment struct {
	Key    string `json:"key"` // of the service; of a reservation, its name
	Tenant string `json:"tenant"`
	OLT    string `json:"olt"`
	Pool   string `json:"pool"`
	VLANPair
	Reserved bool `json:"reserved,omitempty"`
}

// VLANPoolUse is how full a pool is.
type VLANPoolUse struct {
	Tenant, OLT, Pool string
	Used, Size        int
}

// Contains reports whether the pool has the pair.
func (p *VLANPool) Contains(pair VLANPair) bool {
	_, found := p.rangeOf(pair)
	return found
}

func (p *VLANPool) rangeOf(pair VLANPair) (VLANRange, bool) {
	for _, r := range p.Ranges {
		if pair.Outer >= r.First && pair.Outer <= r.Last && pair.Inner >= r.InnerFirst && pair.Inner <= r.InnerLast {
			return r, true
		}
	}
	return VLANRange{}, false
}

// Weight is how many places of the pool an assignment takes: a reserved VLAN takes
// all that it could serve.
func (p *VLANPool) Weight(a VLANAssignment) int {
	if r, found := p.rangeOf(a.VLANPair); found && a.Reserved && !r.QinQ() {
		return r.Capacity
	}
	return 1
}
