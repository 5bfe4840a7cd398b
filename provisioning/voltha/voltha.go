// Package voltha puts the services of subscribers on the ONUs of a VOLTHA network,
// either by writing flows and meters into the core itself (Core) or by asking the
// SDN controller that owns the core's flows (Controller). It believes what it can
// read back and no answer alone, and never sends what is known to bring a server
// of VOLTHA down. It allocates nothing and remembers nothing.
package voltha

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"time"

	"linegate"
)

// Backend names what a Client speaks to.
type Backend string

const (
	// BackendCore writes flows into the core (gRPC voltha.VolthaService, VOLTHA 2.8
	// and later). The core must have no controller: a core has one owner of flows.
	BackendCore Backend = "core"
	// BackendController asks the controller (its REST interface, VOLTHA 2.13 and later).
	BackendController Backend = "vgc"
)

// Config says which VOLTHA to speak to and how. Zero fields have the defaults
// that stand beside them.
type Config struct {
	Backend Backend // default core
	// Address is host:port for core, a URL with or without a path for vgc.
	Address string
	// TLS encrypts the connection to a core. In a cluster it is plain as a rule.
	TLS bool

	TechProfile   uint16        // where a service names none; default 64
	UnlimitedKbps uint32        // peak rate where none is asked for; default 10 Gbit/s
	Call          time.Duration // one call; default 45 s: a delete waits for adapters, and 19 s were seen
	Ready         time.Duration // how long an ONU that isn't ready is waited for; default 20 s, a heartbeat of an OLT is 15 s
	Verify        time.Duration // how long flows may take to be in force; default 30 s, the core's own limit
	Settle        time.Duration // how long they must stay to be believed; default 3 s, refusals came after up to 2 s
	Poll          time.Duration // between two looks; default 250 ms

	Logger *slog.Logger                         // default: nothing is logged
	Now    func() time.Time                     // default time.Now
	After  func(time.Duration) <-chan time.Time // default time.After
}

func (c Config) withDefaults() Config {
	setDefault(&c.Backend, BackendCore)
	setDefault(&c.TechProfile, 64)
	setDefault(&c.UnlimitedKbps, 10_000_000)
	setDefault(&c.Call, 45*time.Second)
	setDefault(&c.Ready, 20*time.Second)
	setDefault(&c.Verify, 30*time.Second)
	setDefault(&c.Settle, 3*time.Second)
	setDefault(&c.Poll, 250*time.Millisecond)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.After == nil {
		c.After = time.After
	}
	return c
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Client is what both backends do; the workflows' interface with a Close. All is
// safe for concurrent use, but not for one service at the same time.
type Client interface {
	// Provision makes the service as wanted and returns when it is seen in force.
	// When it can't be, nothing of it is left.
	Provision(ctx context.Context, wanted linegate.ONUService) (linegate.ONUResult, error)
	// Change turns was into wanted, which have one ID.
	Change(ctx context.Context, was, wanted linegate.ONUService) (linegate.ONUResult, error)
	// Remove takes the service away. One that is not there is no error.
	Remove(ctx context.Context, service linegate.ONUService) error
	// Verify looks whether the service is in force, and changes nothing.
	Verify(ctx context.Context, service linegate.ONUService) (linegate.ONUResult, error)
	// Check is Verify for many services at once; the results are in their order.
	Check(ctx context.Context, services []linegate.ONUService) ([]Finding, error)
	// Describe says what Provision would tell the backend, one thing a line. It asks
	// nobody.
	Describe(wanted linegate.ONUService) ([]string, error)
	Close() error
}

// Finding is what Check saw of one service.
type Finding struct {
	linegate.ONUResult
	// Absent: the ONU is off or unknown, so nothing can be repaired now.
	Absent bool
}

// Open returns the client for the backend of the configuration. It connects to
// nothing yet.
func Open(config Config) (Client, error) {
	config = config.withDefaults()
	switch config.Backend {
	case BackendCore:
		return openCore(config)
	case BackendController:
		return openController(config)
	}
	return nil, fmt.Errorf("voltha backend: %q is not allowed: core or vgc", config.Backend)
}

// pause waits for a time or the end of the context.
func (c *Config) pause(ctx context.Context, wait time.Duration) error {
	select {
	case <-c.After(wait):
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", linegate.ErrOutcomeUnknown, ctx.Err())
	}
}

func (c *Config) techProfile(service *linegate.ONUService) uint16 {
	if service.TechProfile != 0 {
		return service.TechProfile
	}
	return c.TechProfile
}

var (
	serviceID = regexp.MustCompile(`^[A-Za-z0-9-]{1,64}$`)
	onuSerial = regexp.MustCompile(`^[A-Za-z]{4}[0-9A-Fa-f]{8}$`)
)

// validate refuses what no backend can make. What is sent to a server was here
// before.
func validate(service *linegate.ONUService) error {
	var bad linegate.FieldErrors
	refuse := bad.Refuse
	outOfRange := func(v linegate.VLAN) bool { return v < 1 || v > linegate.MaxVLAN }
	refuse(!serviceID.MatchString(service.ID), "id", service.ID, "1 to 64 of A-Z, a-z, 0-9 and dash")
	refuse(!onuSerial.MatchString(service.Serial), "serial", service.Serial, "four letters and eight hex digits")
	refuse(service.UNI == 0, "uni", service.UNI, "1 or more")
	refuse(outOfRange(service.ServiceVLAN), "service_vlan", service.ServiceVLAN, "1 to 4094")
	refuse(service.CustomerVLAN > linegate.MaxVLAN, "customer_vlan", service.CustomerVLAN, "0 to 4094")
	refuse(service.QinQ && outOfRange(service.InnerVLAN), "inner_vlan", service.InnerVLAN, "1 to 4094 with qinq")
	refuse(service.QinQ && service.Transparent, "transparent", true, "not together with qinq")
	refuse(service.Transparent && service.CustomerVLAN != 0, "customer_vlan", service.CustomerVLAN, "0 with transparent")
	for name, b := range map[string]linegate.Bandwidth{"upstream": service.Upstream, "downstream": service.Downstream} {
		refuse(b.PIR != 0 && (b.CIR > b.PIR || b.GIR > b.PIR) || b.CIR != 0 && b.GIR > b.CIR, name,
			fmt.Sprintf("gir %d, cir %d, pir %d", b.GIR, b.CIR, b.PIR), "gir <= cir <= pir")
	}
	if len(bad) > 0 {
		return fmt.Errorf("onu service: %w: %w", linegate.ErrRefused, bad)
	}
	return nil
}

// logProvisioned writes what the ONU's subscriber has, for those who look for a
// fault on the line.
func (c *Config) logProvisioned(ctx context.Context, service *linegate.ONUService, result linegate.ONUResult) {
	mode := service.IPv6Mode
	if mode == "" {
		mode = linegate.IPv6None
	}
	attributes := []slog.Attr{
		slog.String("event", EventONUProvisioned),
		slog.String("service_id", service.ID),
		slog.String("serial_number", service.Serial),
		slog.String("device", result.Device),
		slog.Int("service_vlan", int(service.ServiceVLAN)),
		slog.String("ipv6_assignment_mode", string(mode)),
	}
	if service.QinQ {
		attributes = append(attributes, slog.Int("inner_vlan", int(service.InnerVLAN)))
	}
	prefix := "none"
	if service.DelegatedIPv6Prefix.IsValid() {
		prefix = service.DelegatedIPv6Prefix.String()
		attributes = append(attributes, slog.String("delegated_ipv6_prefix", prefix))
	}
	if service.StaticIPv4.IsValid() {
		attributes = append(attributes, slog.String("static_ipv4", service.StaticIPv4.String()))
	}
	message := fmt.Sprintf("ONU %s provisioned with IPv6 mode: %s, Delegated prefix: %s", service.Serial, mode, prefix)
	c.Logger.LogAttrs(ctx, slog.LevelInfo, message, attributes...)
}

// Names of the events that this package logs.
const (
	EventONUProvisioned = "onu_provisioned"
	EventONURepaired    = "onu_repaired"
	EventONURepairError = "onu_repair_failed"
)

// portName is what the UNI of a service is called in both backends.
func portName(service *linegate.ONUService) string {
	return fmt.Sprintf("%s-%d", strings.ToUpper(service.Serial), service.UNI)
}

// change is Change of a backend: what stays on one port is made as wanted there, and
// what moves is cleared from the old port first. valid refuses what that backend can't
// make.
func change(ctx context.Context, c Client, valid func(*linegate.ONUService) error, was, wanted linegate.ONUService) (linegate.ONUResult, error) {
	if err := valid(&wanted); err != nil {
		return linegate.ONUResult{}, err
	}
	if was.ID != wanted.ID {
		return linegate.ONUResult{}, fmt.Errorf("onu service: %w: change of %s to %s: they must have one id", linegate.ErrRefused, was.ID, wanted.ID)
	}
	if portName(&was) == portName(&wanted) {
		return c.Provision(ctx, wanted)
	}
	if err := c.Remove(ctx, was); err != nil {
		return linegate.ONUResult{}, err
	}
	result, err := c.Provision(ctx, wanted)
	return result, unknown(err)
}

// undone is what to tell of a service that could not be made, and whose undoing
// failed with err or did not: what was wrong, and whether anything is left.
func undone(cause, err error) error {
	if err != nil {
		return fmt.Errorf("%w: %s; undo: %s", linegate.ErrOutcomeUnknown, cause, err)
	}
	if errors.Is(cause, linegate.ErrOutcomeUnknown) {
		return fmt.Errorf("%w: %s; it is deleted again", linegate.ErrTryAgain, cause)
	}
	return cause
}

// unknown is for what failed after something was changed: the kind of the error
// would say that nothing was done.
func unknown(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %s", linegate.ErrOutcomeUnknown, err)
}
