package provisioning

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"

	"linegate"
)

// sight is what a workflow sees when it begins.
type sight struct {
	Subscriber *linegate.Subscriber // nil: there is none
	Service    *linegate.Service    // the newest record; nil: there is none
	Flags      Flags
	Present    presence
}

// presence says which integrations are there.
type presence struct{ Addresses, ONU, CPE, Changes bool }

// live reports whether there is a service that was not taken down.
func (s sight) live() bool {
	return s.Service != nil && s.Service.State != linegate.ServiceTerminated
}

// setup is what an order comes to: the subscriber as it is to be, what has to be
// allocated first, and what each system is to be told. Everything in it follows
// from the order and what was seen, so it is not recorded.
type setup struct {
	subscriber *linegate.Subscriber
	service    linegate.Service
	claims     []linegate.AddressClaim // in order of slots; with Fixed: of a static address
	vlan       *linegate.VLANAssignment
	onu        *linegate.ONUService
	cpe        *linegate.CPESettings
	warnings   []string
	ipv4Only   bool // an order may go on without IPv6
}

// serviceID derives a service's name from the order that makes it.
func serviceID(orderID string) string { return "svc-" + digest(orderID) }

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:8])
}

// planProvision works out a new service.
func planProvision(order linegate.Order, id string, seen sight) (*setup, error) {
	if seen.live() {
		return nil, fmt.Errorf("%s has service %s, which is %s: change or deprovision it: %w", order.Username, seen.Service.ID, seen.Service.State, linegate.ErrConflict)
	}
	if seen.Subscriber != nil && !seen.Flags.NetworkProfileConsumption {
		return nil, fmt.Errorf("%s has a network profile already, and enable_network_profile_consumption is off: %w", order.Username, linegate.ErrRefused)
	}
	subscriber := &linegate.Subscriber{Tenant: order.Tenant, Username: order.Username}
	if seen.Subscriber != nil {
		subscriber = seen.Subscriber.Clone()
	}
	p := &setup{subscriber: subscriber, ipv4Only: order.AllowIPv4Only || seen.Flags.AllowIPv4Only}
	p.service = linegate.Service{ID: serviceID(id), Tenant: order.Tenant, Username: order.Username, State: linegate.ServiceActive, OrderID: id}
	return p, p.work(order, id, seen)
}

// planChange works out what becomes of a service.
func planChange(order linegate.Order, id string, seen sight) (*setup, error) {
	if !seen.live() || seen.Subscriber == nil {
		return nil, fmt.Errorf("%s has no service to change: %w", order.Username, linegate.ErrNotFound)
	}
	if seen.Service.State == linegate.ServiceSuspended {
		return nil, fmt.Errorf("service %s is suspended: resume it first: %w", seen.Service.ID, linegate.ErrConflict)
	}
	p := &setup{subscriber: seen.Subscriber.Clone(), service: *seen.Service, ipv4Only: order.AllowIPv4Only || seen.Flags.AllowIPv4Only}
	p.service.OrderID, p.service.Metadata.SubscriberNumber = id, seen.Subscriber.ID
	return p, p.work(order, id, seen)
}

// work fills the setup in.
func (p *setup) work(order linegate.Order, id string, seen sight) error {
	if p.subscriber.Profile == nil {
		p.subscriber.Profile = &linegate.NetworkProfile{}
	}
	if err := order.Apply(p.subscriber); err != nil {
		return err
	}
	p.applyFlags(seen.Flags)
	p.claim(order, id, seen)
	if err := p.wish(order, id, seen); err != nil {
		return err
	}
	if err := p.refuse(seen); err != nil {
		return err
	}
	return p.equip(order, seen)
}

func (p *setup) applyFlags(flags Flags) {
	profile := p.subscriber.Profile
	if profile.Option82Policy == "" {
		profile.Option82Policy = flags.Option82Default
	}
	if profile.Option82Policy == linegate.Option82Enforce && !flags.Option82Enforcement {
		profile.Option82Policy = linegate.Option82Log
		p.warnings = append(p.warnings, "option82_policy is stored as log: enable_option82_enforcement is off")
	}
}

// claim lists what the service's addresses need: a fixed one its association (or,
// without the bypass, its allocation), a wished one the next that is free.
func (p *setup) claim(order linegate.Order, id string, seen sight) {
	for _, slot := range linegate.AddressSlots() {
		fixed, has := slotOf(p.subscriber.Profile, slot)
		length := wished(order.Addresses, slot)
		held := slices.ContainsFunc(p.service.Metadata.Allocations, func(a linegate.Allocation) bool { return a.Slot == slot && a.Prefix == fixed })
		key := p.service.ID + "/" + string(slot)
		if order.Kind == linegate.OrderChange {
			key += "/" + digest(id)[:8]
		}
		claim := linegate.AddressClaim{Key: key, Tenant: order.Tenant, Username: order.Username, Service: p.service.ID, Slot: slot, Length: length}
		switch {
		case held: // as before
		case has && (order.Kind == linegate.OrderProvision || newly(seen, slot, fixed)):
			if !slot.Prefix() {
				claim.Fixed = fixed.Addr()
				p.claims = append(p.claims, claim)
			}
		case !has && length > 0:
			p.claims = append(p.claims, claim)
		}
	}
}

// newly reports whether the slot held something else before.
func newly(seen sight, slot linegate.AddressSlot, now netip.Prefix) bool {
	before, has := slotOf(seen.Subscriber.Profile, slot)
	return !has || before != now
}

// wished returns the length of what the order wants for the slot, 0 for nothing.
func wished(wishes linegate.AddressWishes, slot linegate.AddressSlot) int {
	switch {
	case slot == linegate.SlotIPv4 && wishes.IPv4:
		return 32
	case slot == linegate.SlotIPv6 && wishes.IPv6:
		return 128
	case slot == linegate.SlotFramedPrefix:
		return wishes.FramedPrefix
	case slot == linegate.SlotDelegatedPrefix:
		return wishes.DelegatedPrefix
	}
	return 0
}

// slotOf returns what the profile holds for a slot; an address as one of full
// length.
func slotOf(p *linegate.NetworkProfile, slot linegate.AddressSlot) (netip.Prefix, bool) {
	var found netip.Prefix
	if p == nil {
		return found, false
	}
	switch slot {
	case linegate.SlotIPv4:
		found = whole(p.StaticIPv4)
	case linegate.SlotIPv6:
		found = whole(p.StaticIPv6)
	case linegate.SlotFramedPrefix:
		found = p.FramedIPv6Prefix
	case linegate.SlotDelegatedPrefix:
		found = p.DelegatedIPv6Prefix
	}
	return found, found.IsValid()
}

func whole(address netip.Addr) netip.Prefix { return netip.PrefixFrom(address, address.BitLen()) }

// fill puts an allocation into the profile, or takes it out.
func fill(p *linegate.NetworkProfile, slot linegate.AddressSlot, prefix netip.Prefix) {
	switch slot {
	case linegate.SlotIPv4:
		p.StaticIPv4 = prefix.Addr()
	case linegate.SlotIPv6:
		p.StaticIPv6 = prefix.Addr()
	case linegate.SlotFramedPrefix:
		p.FramedIPv6Prefix = prefix
	case linegate.SlotDelegatedPrefix:
		p.DelegatedIPv6Prefix = prefix
	}
}

// placeholder stands for what is not yet allocated (RFC 5737, RFC 3849).
func placeholder(claim linegate.AddressClaim) netip.Prefix {
	if claim.Slot == linegate.SlotIPv4 {
		return netip.MustParsePrefix("192.0.2.1/32")
	}
	return netip.PrefixFrom(netip.MustParseAddr("2001:db8::"), claim.Length)
}

// wish settles the VLANs and checks the subscriber as it will be.
func (p *setup) wish(order linegate.Order, id string, seen sight) error {
	profile := p.subscriber.Profile
	if order.VLAN.Pool != "" {
		if _, set := order.Set["service_vlan"]; set {
			return &linegate.FieldError{Field: "vlan", Value: order.VLAN.Pool, Allowed: "a pool or a service_vlan, not both"}
		}
		held := p.service.Metadata.VLAN
		if held == nil || held.Pool != order.VLAN.Pool || held.OLT != order.VLAN.OLT {
			key := p.service.ID
			if order.Kind == linegate.OrderChange {
				key += "/" + digest(id)[:8]
			}
			p.vlan = &linegate.VLANAssignment{Key: key, Tenant: order.Tenant, OLT: order.VLAN.OLT, Pool: order.VLAN.Pool}
			profile.ServiceVLAN, profile.InnerVLAN, profile.QinQEnabled = 0, 0, false
		}
	}
	filled := p.subscriber.Clone()
	for _, claim := range p.claims {
		if !claim.Fixed.IsValid() {
			fill(filled.Profile, claim.Slot, placeholder(claim))
		}
	}
	if profile.IPv6Mode == linegate.IPv6None && order.Set["ipv6_assignment_mode"] == "" {
		filled.Profile.IPv6Mode = ""
	}
	filled.Normalize()
	profile.IPv6Mode = filled.Profile.IPv6Mode
	for _, field := range filled.Profile.Withheld() {
		return &linegate.FieldError{Field: field, Value: "", Allowed: "only where ipv6_assignment_mode and qinq_enabled let it be granted; the mode is " + string(profile.IPv6Mode)}
	}
	return filled.Validate()
}

// refuse turns down what flags and missing integrations can't do, before anything
// is allocated.
func (p *setup) refuse(seen sight) error {
	if p.subscriber.Profile.QinQEnabled && !seen.Flags.QinQProvisioning {
		return fmt.Errorf("qinq_enabled: enable_qinq_provisioning is off: %w", linegate.ErrRefused)
	}
	kept := p.claims[:0:0]
	for _, claim := range p.claims {
		switch {
		case claim.Fixed.IsValid() && seen.Flags.StaticIPBypass:
		case !seen.Present.Addresses:
			return fmt.Errorf("%s: no NetBox is configured to allocate it: %w", claim.Slot, linegate.ErrRefused)
		case claim.Slot == linegate.SlotDelegatedPrefix && !seen.Flags.IPv6PD:
			if err := p.without(claim.Slot, fmt.Errorf("enable_ipv6_pd is off: %w", linegate.ErrRefused)); err != nil {
				return err
			}
			continue
		}
		kept = append(kept, claim)
	}
	p.claims = kept
	return nil
}

// without goes on without a part of IPv6 where that is allowed, and returns the
// error where it is not.
func (p *setup) without(slot linegate.AddressSlot, err error) error {
	if !slot.IPv6() || !p.ipv4Only {
		return fmt.Errorf("%s: %w", slot, err)
	}
	p.warnings = append(p.warnings, fmt.Sprintf("set up without IPv6: %s: %v", slot, err))
	p.dropIPv6()
	return nil
}

// dropIPv6 makes the service one of IPv4 alone.
func (p *setup) dropIPv6() {
	profile := p.subscriber.Profile
	profile.IPv6Mode = linegate.IPv6None
	profile.StaticIPv6, profile.FramedIPv6Prefix, profile.DelegatedIPv6Prefix = netip.Addr{}, netip.Prefix{}, netip.Prefix{}
	profile.FramedIPv6Pool, profile.DelegatedIPv6Pool, profile.StatefulIPv6Pool = "", "", ""
}

// equip says what the ONU and the CPE are to be.
func (p *setup) equip(order linegate.Order, seen sight) error {
	p.onu, p.cpe = p.service.Metadata.ONU, p.service.Metadata.CPE
	if order.ONU != nil {
		p.onu = &linegate.ONUService{
			ID: p.service.ID, Serial: order.ONU.Serial, UNI: order.ONU.UNI, CustomerVLAN: order.ONU.CustomerVLAN,
			Transparent: order.ONU.Transparent, TechProfile: order.ONU.TechProfile,
			Upstream:   linegate.Bandwidth{CIR: order.ONU.CIR.UploadKbps, GIR: order.ONU.GIR.UploadKbps},
			Downstream: linegate.Bandwidth{CIR: order.ONU.CIR.DownloadKbps, GIR: order.ONU.GIR.DownloadKbps},
		}
	}
	if order.CPE != nil {
		p.cpe = &linegate.CPESettings{ServiceID: p.service.ID, Device: order.CPE.Device, WithoutQinQ: order.CPE.WithoutQinQ, IPv4Gateway: order.CPE.IPv4Gateway, DNS: order.CPE.DNS}
		if order.CPE.IPv4Gateway.IsValid() {
			p.cpe.IPv4 = netip.PrefixFrom(order.CPE.IPv4Gateway, cmp.Or(order.CPE.IPv4Length, 32))
		}
		if order.CPE.PPP {
			p.cpe.PPPUsername = p.subscriber.Username
			if p.subscriber.Credential.Kind != linegate.CredentialCleartext {
				return &linegate.FieldError{Field: "cpe.ppp", Value: "true", Allowed: "only with a password that is stored in clear: a CPE can't be given a hash"}
			}
		}
	}
	if p.onu != nil && !seen.Present.ONU {
		p.onu = nil
		p.warnings = append(p.warnings, "ONU skipped: no VOLTHA is configured")
	}
	if p.onu != nil && p.subscriber.Profile.ServiceVLAN == 0 && p.vlan == nil {
		return &linegate.FieldError{Field: "service_vlan", Value: "", Allowed: "1 to 4094, or a vlan pool: an ONU needs one"}
	}
	if p.cpe != nil && !seen.Present.CPE {
		p.cpe = nil
		p.warnings = append(p.warnings, "CPE skipped: no GenieACS is configured")
	}
	return nil
}

// wantedONU is the ONU's service with the VLANs, rate and addresses of the profile
// as it is now.
func (p *setup) wantedONU() linegate.ONUService {
	wanted, profile := *p.onu, p.subscriber.Profile
	wanted.ServiceVLAN, wanted.InnerVLAN, wanted.QinQ = profile.ServiceVLAN, profile.InnerVLAN, profile.QinQEnabled
	wanted.Upstream.PIR, wanted.Downstream.PIR = profile.Rate.UploadKbps, profile.Rate.DownloadKbps
	wanted.StaticIPv4, wanted.IPv6Mode, wanted.DelegatedIPv6Prefix = profile.StaticIPv4, profile.IPv6Mode, profile.DelegatedIPv6Prefix
	return wanted
}

// wantedCPE is the CPE with the VLANs and addresses of the profile as it is now,
// or, while they are not allocated, with what stands for them.
func (p *setup) wantedCPE() linegate.CPESettings {
	wanted, profile := *p.cpe, *p.subscriber.Profile
	for _, claim := range p.claims {
		if _, has := slotOf(&profile, claim.Slot); !has {
			fill(&profile, claim.Slot, placeholder(claim))
		}
	}
	wanted.ServiceVLAN, wanted.InnerVLAN, wanted.QinQ = profile.ServiceVLAN, profile.InnerVLAN, profile.QinQEnabled
	wanted.IPv4 = netip.Prefix{}
	if wanted.IPv4Gateway.IsValid() && profile.StaticIPv4.IsValid() {
		wanted.IPv4 = netip.PrefixFrom(profile.StaticIPv4, p.cpe.IPv4.Bits())
	}
	wanted.IPv6Mode, wanted.DelegatedIPv6Prefix = profile.IPv6Mode, profile.DelegatedIPv6Prefix
	if wanted.PPPUsername != "" {
		wanted.PPPPassword = p.subscriber.Credential.Value.Reveal()
	}
	return wanted
}

// sameCPE compares settings.
func sameCPE(a, b linegate.CPESettings) bool {
	if !slices.Equal(a.DNS, b.DNS) {
		return false
	}
	a.DNS, b.DNS = nil, nil
	return fmt.Sprint(a) == fmt.Sprint(b)
}

// settle gives a VLAN assignment to the profile.
func (p *setup) settle(assigned linegate.VLANAssignment) {
	profile := p.subscriber.Profile
	profile.ServiceVLAN, profile.InnerVLAN, profile.QinQEnabled = assigned.Outer, assigned.Inner, assigned.Inner != 0
	p.service.Metadata.VLAN = &assigned
}
