package linegate

import (
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"time"
)

// OrderKind is what an order asks for.
type OrderKind string

const (
	OrderProvision   OrderKind = "provision"   // set a service up
	OrderSuspend     OrderKind = "suspend"     // hold it back, everything stays in place
	OrderResume      OrderKind = "resume"      // let it go on
	OrderChange      OrderKind = "change"      // another rate, VLAN, address, line or ONU
	OrderDeprovision OrderKind = "deprovision" // take it down
)

// OrderKinds returns the closed list; it is a metric label.
func OrderKinds() []OrderKind {
	return []OrderKind{OrderProvision, OrderSuspend, OrderResume, OrderChange, OrderDeprovision}
}

// SuspendStrategy is how a suspended subscriber is held back.
type SuspendStrategy string

const (
	SuspendByRate         SuspendStrategy = "rate"          // online, but slow
	SuspendByWalledGarden SuspendStrategy = "walled_garden" // online, but only in the walled garden
	SuspendByDisconnect   SuspendStrategy = "disconnect"    // offline
)

var suspendStrategies = []SuspendStrategy{SuspendByRate, SuspendByWalledGarden, SuspendByDisconnect}

// Order is one piece of work on one subscriber. An order that is given again under
// its Key is taken once.
type Order struct {
	Key      string    `json:"key,omitempty"` // chosen by who orders, 1 to 128 octets, unique within the tenant
	Kind     OrderKind `json:"kind,omitzero"`
	Tenant   string    `json:"tenant,omitempty"`
	Username string    `json:"username,omitempty"`
	Actor    string    `json:"actor,omitempty"` // for the audit trail

	// Set are properties of the subscriber by the names of Fields; for provision
	// and change. One that is empty is cleared.
	Set       map[string]string `json:"profile,omitzero"`
	Addresses AddressWishes     `json:"addresses,omitzero"`
	VLAN      VLANWish          `json:"vlan,omitzero"`
	ONU       *ONUWish          `json:"onu,omitzero"` // nil: no ONU, or for a change: the one it has
	CPE       *CPEWish          `json:"cpe,omitzero"` // likewise

	// AllowIPv4Only lets an order that can't have IPv6 be done without.
	AllowIPv4Only bool `json:"allow_ipv4_only,omitzero"`
	// Strategy is how to suspend; empty: by the walled garden if the profile names
	// one, else by disconnecting. SuspendRate is for SuspendByRate.
	Strategy    SuspendStrategy `json:"strategy,omitzero"`
	SuspendRate Rate            `json:"suspend_rate,omitzero"`
	// Quarantine keeps released addresses from being given out again for so long;
	// negative: not at all, zero: the server's default.
	Quarantine time.Duration `json:"quarantine,omitzero"`
}

// AddressWishes are what an order wants allocated where the profile names nothing
// fixed.
type AddressWishes struct {
	IPv4 bool `json:"ipv4,omitzero"`
	IPv6 bool `json:"ipv6,omitzero"` // one address, for mode stateful and dual_stack
	// FramedPrefix and DelegatedPrefix are lengths, 1 to 128; 0: none is wanted.
	FramedPrefix    int `json:"framed_prefix,omitzero"`    // for mode slaac and dual_stack
	DelegatedPrefix int `json:"delegated_prefix,omitzero"` // for mode pd and dual_stack
}

// None reports whether nothing is wanted.
func (w AddressWishes) None() bool { return w == AddressWishes{} }

// VLANWish asks for a VLAN, or a pair, of a pool. The zero value asks for none.
type VLANWish struct {
	Pool string `json:"pool,omitempty"`
	OLT  string `json:"olt,omitempty"`
}

// ONUWish is what an order says about the ONU; VLANs and rate come from the profile.
type ONUWish struct {
	Serial       string `json:"serial,omitempty"`
	UNI          uint8  `json:"uni,omitzero"`
	CustomerVLAN VLAN   `json:"customer_vlan,omitzero"`
	Transparent  bool   `json:"transparent,omitzero"`
	TechProfile  uint16 `json:"tech_profile,omitzero"`
	CIR          Rate   `json:"cir,omitzero"` // committed and guaranteed; 0: none
	GIR          Rate   `json:"gir,omitzero"` // committed and guaranteed; 0: none
}

// CPEWish is what an order says about the CPE; VLANs and addresses come from the
// profile.
type CPEWish struct {
	Device      string       `json:"device,omitempty"`
	WithoutQinQ bool         `json:"without_qinq,omitzero"` // go on where the CPE can't stack tags
	IPv4Gateway netip.Addr   `json:"ipv4_gateway,omitzero"` // for a fixed IPv4 address
	IPv4Length  int          `json:"ipv4_length,omitzero"`  // of that address's network; 0: 32
	DNS         []netip.Addr `json:"dns,omitzero"`
	PPP         bool         `json:"ppp,omitzero"` // the subscriber's username and password are its PPP credentials
	// Expiry is how long an offline CPE is waited for; 0: the server's default.
	Expiry time.Duration `json:"expiry,omitzero"`
}

var orderKeyRule = regexp.MustCompile(`^[\x21-\x7e]{1,128}$`)

// Validate returns FieldErrors for everything that can't be ordered, whatever is
// stored.
func (o *Order) Validate() error {
	var bad fieldErrors
	if !orderKeyRule.MatchString(o.Key) {
		bad.add("key", o.Key, "1 to 128 printable ASCII characters without space")
	}
	if !slices.Contains(OrderKinds(), o.Kind) {
		bad.add("kind", string(o.Kind), "provision, suspend, resume, change, deprovision")
	}
	if !nameRule.MatchString(o.Tenant) {
		bad.add("tenant", o.Tenant, nameAllowed)
	}
	if !validUsername(o.Username) {
		bad.add("username", o.Username, "1 to 253 octets of UTF-8 without control characters")
	}
	o.validateKind(&bad)
	o.validateWishes(&bad)
	if err := o.applyTo(&Subscriber{}); err != nil {
		bad.found = append(bad.found, err...)
	}
	return bad.err()
}

// validateKind refuses what the kind has no use for, so that a mistake shows.
func (o *Order) validateKind(bad *fieldErrors) {
	sets := o.Kind == OrderProvision || o.Kind == OrderChange
	if !sets && (len(o.Set) > 0 || !o.Addresses.None() || o.VLAN != VLANWish{} || o.ONU != nil || o.CPE != nil) {
		bad.add("kind", string(o.Kind), "profile, addresses, vlan, onu and cpe are for provision and change")
	}
	if o.Strategy != "" && (o.Kind != OrderSuspend || !slices.Contains(suspendStrategies, o.Strategy)) {
		bad.add("strategy", string(o.Strategy), "rate, walled_garden, disconnect, and only to suspend")
	}
	if (o.Strategy == SuspendByRate) != (o.SuspendRate != Rate{}) {
		bad.add("suspend_rate", itoa(o.SuspendRate.DownloadKbps), "given with strategy rate, and only then")
	}
}

func (o *Order) validateWishes(bad *fieldErrors) {
	for name, length := range map[string]int{"addresses.framed_prefix": o.Addresses.FramedPrefix, "addresses.delegated_prefix": o.Addresses.DelegatedPrefix} {
		if length < 0 || length > 128 {
			bad.add(name, strconv.Itoa(length), "1 to 128, or 0 for none")
		}
	}
	if (o.VLAN.Pool == "") != (o.VLAN.OLT == "") {
		bad.add("vlan", o.VLAN.Pool, "pool and olt together")
	}
	if o.ONU != nil {
		if !onuSerialRule.MatchString(o.ONU.Serial) {
			bad.add("onu.serial", o.ONU.Serial, "four letters and eight hex digits")
		}
		if o.ONU.UNI == 0 {
			bad.add("onu.uni", "0", "1 to 255")
		}
		if o.ONU.CustomerVLAN > MaxVLAN {
			bad.add("onu.customer_vlan", itoa(o.ONU.CustomerVLAN), "1 to 4094, or 0 for untagged")
		}
	}
	if o.CPE != nil && o.CPE.Device == "" {
		bad.add("cpe.device", "", "the id or serial of the CPE")
	}
}

var onuSerialRule = regexp.MustCompile(`^[A-Za-z]{4}[0-9A-Fa-f]{8}$`)

// Apply sets the order's properties on a subscriber. It returns FieldErrors for
// those that are unknown or out of range.
func (o *Order) Apply(s *Subscriber) error {
	if bad := o.applyTo(s); len(bad) > 0 {
		return bad
	}
	return nil
}

func (o *Order) applyTo(s *Subscriber) (bad FieldErrors) {
	for _, name := range slices.Sorted(maps.Keys(o.Set)) {
		at := slices.IndexFunc(fields, func(f Field) bool { return f.Name == name })
		if at < 0 || name == "username" || name == "status" {
			bad = append(bad, &FieldError{Field: name, Value: o.shown(name), Allowed: "a property of the network profile, or password"})
			continue
		}
		if err := fields[at].Set(s, o.Set[name]); err != nil {
			wrong, ok := err.(*FieldError)
			if !ok {
				wrong = &FieldError{Field: name, Value: o.shown(name), Allowed: fields[at].Allowed}
			}
			bad = append(bad, wrong)
		}
	}
	return bad
}

// shown keeps a password out of an error.
func (o *Order) shown(name string) string {
	if name == "password" {
		return redacted
	}
	return o.Set[name]
}

// OrderState is where an order stands.
type OrderState string

const (
	OrderQueued    OrderState = "queued"    // not begun
	OrderRunning   OrderState = "running"   // under way, forward or back
	OrderStuck     OrderState = "stuck"     // a step can't be done; tried again by itself and on request
	OrderDone      OrderState = "done"      // everything is as ordered
	OrderUndone    OrderState = "undone"    // refused or failed, and nothing of it is left
	OrderLeftovers OrderState = "leftovers" // ended, but somebody gave up on a step: see OrderResult.Left
)

// OrderResult is how an order ended. The names in JSON are those of the
// provisioning plan.
type OrderResult struct {
	OrderID             string             `json:"order_id"`
	State               OrderState         `json:"state"`
	Error               string             `json:"error,omitempty"` // why it was undone, in words
	ServiceID           string             `json:"service_id"`
	IPv4                netip.Addr         `json:"ipv4_address,omitzero"`
	IPv6                netip.Addr         `json:"ipv6_address,omitzero"`
	FramedIPv6Prefix    netip.Prefix       `json:"ipv6_prefix,omitzero"`
	DelegatedIPv6Prefix netip.Prefix       `json:"ipv6_delegated_prefix,omitzero"`
	IPv6Mode            IPv6AssignmentMode `json:"ipv6_assignment_mode,omitempty"`
	ServiceVLAN         VLAN               `json:"service_vlan,omitempty"`
	InnerVLAN           VLAN               `json:"inner_vlan,omitempty"`
	QinQEnabled         bool               `json:"qinq_enabled"`
	NetBoxIPID          int64              `json:"netbox_ip_id,omitempty"`
	Source              AddressSource      `json:"source,omitempty"`
	Warnings            []string           `json:"warnings,omitempty"`
	Left                []string           `json:"left,omitempty"` // what was given up, in words
}

// OrderStanding is how an order stands.
type OrderStanding struct {
	ID      string      `json:"id"`
	Order   Order       `json:"order"` // without the password
	State   OrderState  `json:"state"`
	Stuck   string      `json:"stuck,omitempty"` // step and error in words, while stuck
	Begun   time.Time   `json:"begun_at"`
	Updated time.Time   `json:"updated_at"`
	Result  OrderResult `json:"result"`          // zero until it ended
	Steps   []OrderStep `json:"steps,omitempty"` // only where they are asked for
}

// OrderStep is one step that was made.
type OrderStep struct {
	Name      string    `json:"name"`
	Error     string    `json:"error,omitempty"` // in words; empty: it was done
	Began     time.Time `json:"began_at"`
	Completed time.Time `json:"completed_at"`
}
