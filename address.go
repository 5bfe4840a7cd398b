package linegate

import (
	"net/netip"
	"time"
)

// AddressSource is where an address comes from.
type AddressSource string

const (
	SourceStatic  AddressSource = "static"  // from the profile; nobody was asked
	SourceDynamic AddressSource = "dynamic" // allocated
)

// AddressSlot is one of the addresses a service can have.
type AddressSlot string

const (
	SlotIPv4            AddressSlot = "ipv4"
	SlotIPv6            AddressSlot = "ipv6"
	SlotFramedPrefix    AddressSlot = "framed_prefix"
	SlotDelegatedPrefix AddressSlot = "delegated_prefix"
)

// AddressSlots returns the closed list.
func AddressSlots() []AddressSlot {
	return []AddressSlot{SlotIPv4, SlotIPv6, SlotFramedPrefix, SlotDelegatedPrefix}
}

// IPv6 reports whether the slot holds something of IPv6.
func (s AddressSlot) IPv6() bool { return s != SlotIPv4 }

// Prefix reports whether the slot holds a prefix rather than one address.
func (s AddressSlot) Prefix() bool { return s == SlotFramedPrefix || s == SlotDelegatedPrefix }

// AddressClaim asks for an address, or a prefix. Key makes it repeatable: a claim
// with a key that was answered before gets the same answer.
type AddressClaim struct {
	Key      string `json:"key"` // 1 to 100 of A-Z, a-z, 0-9, dash, dot and slash
	Tenant   string `json:"tenant"`
	Username string `json:"username"`
	Service  string `json:"service"`
	Slot     AddressSlot
	Length   int        // of a prefix; 0 for an address
	Fixed    netip.Addr // this very address; the zero value: the next free one
}

// Allocation is what a claim was given.
type Allocation struct {
	Key    string       `json:"key"`
	Slot   AddressSlot  `json:"slot"`
	Prefix netip.Prefix `json:"prefix"` // an address is one of full length
	Pool   string       `json:"pool"`   // the parent prefix, as the address plan's owner names it
	ID     int64        `json:"id"`     // of the object in the foreign system
}

// AllocationState is where an allocation stands in our own book.
type AllocationState string

const (
	AllocationIntended    AllocationState = "intended"    // asked for, perhaps given
	AllocationHeld        AllocationState = "held"        // given
	AllocationQuarantined AllocationState = "quarantined" // released, not yet free
)

// Finding is a difference between the foreign system and our own book.
type Finding struct {
	Key      string `json:"key"`
	Prefix   string `json:"prefix"`
	Problem  string `json:"problem"` // in words
	Repaired bool   `json:"repaired"`
}

// AllocationRecord is one allocation in our own book. It is written before the
// foreign system is asked, so that nothing it gives can be forgotten.
type AllocationRecord struct {
	Claim      AddressClaim
	State      AllocationState
	Allocation Allocation // zero while intended
	FreeAt     time.Time  // with AllocationQuarantined
	Updated    time.Time
}
