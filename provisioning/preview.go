package provisioning

import (
	"context"
	"fmt"
	"strings"

	"linegate"
)

// Told is what one system would be told by an order.
type Told struct {
	System string `json:"system"`
	Text   string `json:"text"`
}

// Preview says what an order would tell each system, in its order, and changes
// nothing anywhere. An order that would be refused is refused here too, unless only
// the system itself can know.
func Preview(ctx context.Context, options Options, order linegate.Order) ([]Told, error) {
	if err := order.Validate(); err != nil {
		return nil, err
	}
	e := &Engine{options: options.orDefault()}
	seen, err := e.look(ctx, order)
	if err != nil {
		return nil, err
	}
	switch order.Kind {
	case linegate.OrderProvision, linegate.OrderChange:
		plan := planProvision
		if order.Kind == linegate.OrderChange {
			plan = planChange
		}
		p, err := plan(order, OrderID(order), seen)
		if err != nil {
			return nil, err
		}
		return e.previewSetup(ctx, p, seen)
	}
	return previewService(order, seen)
}

func (e *Engine) previewSetup(ctx context.Context, p *setup, seen sight) (lines []Told, err error) {
	tell := func(in system, format string, args ...any) {
		lines = append(lines, Told{string(in), fmt.Sprintf(format, args...)})
	}
	var plan linegate.CPEPlan
	if p.cpe != nil {
		if plan, err = e.options.CPE.Plan(ctx, p.wantedCPE()); err != nil {
			return nil, err
		}
	}
	if p.vlan != nil {
		tell(inStore, "assign the next VLAN of pool %s behind %s to %s", p.vlan.Pool, p.vlan.OLT, p.vlan.Key)
	}
	for _, claim := range p.claims {
		switch {
		case claim.Fixed.IsValid() && seen.Flags.StaticIPBypass:
			tell(inNetBox, "nothing for %s: %s is fixed", claim.Slot, claim.Fixed)
		case claim.Fixed.IsValid():
			tell(inNetBox, "create %s under key %s", claim.Fixed, claim.Key)
		case claim.Slot.Prefix():
			tell(inNetBox, "allocate a /%d for %s under key %s", claim.Length, claim.Slot, claim.Key)
		default:
			tell(inNetBox, "allocate an address for %s under key %s", claim.Slot, claim.Key)
		}
	}
	for _, change := range p.subscriber.Diff(seen.Subscriber) {
		tell(inStore, "%s: %q becomes %q", change.Field, change.Old, change.New)
	}
	if p.onu != nil {
		wanted := p.wantedONU()
		tell(inONU, "%s port %d: service VLAN %s, inner VLAN %s, down %d kbit/s, up %d kbit/s",
			wanted.Serial, wanted.UNI, vlanText(wanted.ServiceVLAN, p.vlan), vlanText(wanted.InnerVLAN, p.vlan), wanted.Downstream.PIR, wanted.Upstream.PIR)
	}
	for _, write := range plan.Writes {
		tell(inCPE, "%s: set %s = %s (%s)", plan.Device, write.Path, write.Value, write.Type)
	}
	for _, warning := range append(p.warnings, plan.Warnings...) {
		tell("warning", "%s", warning)
	}
	return lines, nil
}

func vlanText(vlan linegate.VLAN, assigned *linegate.VLANAssignment) string {
	switch {
	case vlan == 0 && assigned != nil:
		return "of the pool"
	case vlan == 0:
		return "none"
	}
	return fmt.Sprint(vlan)
}

// previewService is for orders that need no plan.
func previewService(order linegate.Order, seen sight) ([]Told, error) {
	if !seen.live() || seen.Subscriber == nil {
		return nil, fmt.Errorf("%s has no service: %w", order.Username, linegate.ErrNotFound)
	}
	m := seen.Service.Metadata
	switch order.Kind {
	case linegate.OrderSuspend:
		strategy, err := strategyOf(order, seen.Subscriber.Profile)
		if err != nil {
			return nil, err
		}
		return []Told{{string(inStore), "hold the profile back by " + string(strategy)}, {string(inSessions), "tell open sessions"}}, nil
	case linegate.OrderResume:
		return []Told{{string(inStore), "restore the profile"}, {string(inSessions), "tell open sessions"}}, nil
	}
	lines := []Told{{string(inStore), "close the account"}, {string(inSessions), "disconnect open sessions"}}
	if m.CPE != nil {
		lines = append(lines, Told{string(inCPE), "clear " + m.CPE.Device})
	}
	if m.ONU != nil {
		lines = append(lines, Told{string(inONU), "remove service " + m.ONU.ID + " from " + m.ONU.Serial})
	}
	for _, held := range m.Allocations {
		lines = append(lines, Told{string(inNetBox), "release " + strings.TrimSuffix(held.Prefix.String(), "/32")})
	}
	return append(lines, Told{string(inStore), "remove the subscriber"}), nil
}
