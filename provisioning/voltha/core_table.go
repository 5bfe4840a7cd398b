package voltha

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"linegate"
	pb "linegate/provisioning/voltha/volthapb"
)

// owned are the listed flows that carry the service's cookies.
func owned(listed []*pb.OfpFlowStats, id string) []*pb.OfpFlowStats {
	prefix := cookiePrefix(id)
	var mine []*pb.OfpFlowStats
	for _, flow := range listed {
		if flow.Cookie&cookieMask == prefix {
			mine = append(mine, flow)
		}
	}
	return mine
}

// same reports whether exactly the wanted flows are listed.
func same(listed []*pb.OfpFlowStats, wanted []*pb.OfpFlowMod) bool {
	return len(listed) == len(wanted) && len(missing(listed, wanted)) == 0
}

func missing(listed []*pb.OfpFlowStats, wanted []*pb.OfpFlowMod) []*pb.OfpFlowMod {
	var gone []*pb.OfpFlowMod
	for _, flow := range wanted {
		if !slices.ContainsFunc(listed, func(l *pb.OfpFlowStats) bool { return sameFlow(l, flow) }) {
			gone = append(gone, flow)
		}
	}
	return gone
}

// clash refuses flows that would take the place of another service's: the core
// tells flows apart by what they match alone and replaces without a word.
func clash(wanted *linegate.ONUService, flows []*pb.OfpFlowMod, listed []*pb.OfpFlowStats) error {
	for _, flow := range flows {
		for _, other := range listed {
			if other.Cookie&cookieMask == flow.Cookie&cookieMask || !sameMatch(other, flow) {
				continue
			}
			owner := "a service of ours"
			if other.Cookie&cookieOwner != cookieMark {
				owner = "someone else"
			}
			return fmt.Errorf("%w: the flow %s is taken by %s (cookie %#x)", linegate.ErrRefused,
				describeMatch(wanted, flow), owner, other.Cookie)
		}
	}
	return nil
}

// deleteAll deletes flows one by one, each with its exact match, and looks whether
// they are gone. A single refusal is not believed: the core also refuses to delete
// what it has dropped itself.
func (c *Core) deleteAll(ctx context.Context, logical string, listed []*pb.OfpFlowStats) error {
	if len(listed) == 0 {
		return nil
	}
	var failed error
	for _, flow := range listed {
		err := c.updateFlow(ctx, logical, &pb.OfpFlowMod{
			Command: pb.OfpFlowModCommand_OFPFC_DELETE_STRICT,
			Cookie:  flow.Cookie, TableId: flow.TableId, Priority: flow.Priority,
			BufferId: anyOut, OutPort: anyOut, OutGroup: anyOut,
			Match: match(flow.GetMatch().GetOxmFields()...), Instructions: flow.Instructions,
		})
		failed = errors.Join(failed, err)
	}
	left, err := c.installed(ctx, logical)
	if err != nil {
		return err
	}
	prefix := listed[0].Cookie & cookieMask
	if slices.ContainsFunc(left, func(f *pb.OfpFlowStats) bool { return f.Cookie&cookieMask == prefix }) {
		return fmt.Errorf("%w: flows are still listed after their deletion: %v", linegate.ErrOutcomeUnknown, failed)
	}
	return nil
}

// settle waits until the ONU has flows and none of ours was dropped for a while.
// The core lists a flow as soon as it accepts it, and drops it when an adapter
// says no.
func (c *Core) settle(ctx context.Context, wanted *linegate.ONUService, line *line, flows []*pb.OfpFlowMod) error {
	start := c.config.Now()
	for {
		listed, err := c.installed(ctx, line.logical)
		if err != nil {
			return err
		}
		if gone := missing(listed, flows); len(gone) > 0 {
			return c.whyGone(ctx, wanted, line, flows, gone)
		}
		onu, err := c.device(ctx, line.onu.Id)
		if err != nil {
			return err
		}
		line.onu = onu
		waited := c.config.Now().Sub(start)
		if onu.Reason == reasonPushed && waited >= c.config.Settle {
			return nil
		}
		if waited >= c.config.Verify {
			return fmt.Errorf("%w: the ONU did not take the flows within %s; it says %q", linegate.ErrTryAgain, c.config.Verify, onu.Reason)
		}
		if err := c.config.pause(ctx, c.config.Poll); err != nil {
			return err
		}
	}
}

// whyGone tells a controller from an adapter's refusal: an adapter never deletes a
// meter, a controller deletes all that isn't its own within seconds. Its audit
// takes flows and meters in two steps, so meters are looked at once more.
func (c *Core) whyGone(ctx context.Context, wanted *linegate.ONUService, line *line, flows, gone []*pb.OfpFlowMod) error {
	for look := range 2 {
		meters, err := c.meters(ctx, line.logical)
		if err != nil {
			return err
		}
		if !hasMeters(meters, flows) {
			return fmt.Errorf("%w: flows and meters vanished after they were accepted: a controller is attached to the core and deletes what isn't its own; set the backend to vgc, or detach it", linegate.ErrRefused)
		}
		if look == 0 {
			if err := c.config.pause(ctx, c.config.Poll); err != nil {
				return err
			}
		}
	}
	return fmt.Errorf("%w: %d of %d flows were accepted and dropped again, the first %s: is the technology profile %d there, is the ONU on?",
		linegate.ErrTryAgain, len(gone), len(flows), describeMatch(wanted, gone[0]), c.config.techProfile(wanted))
}

func hasMeters(meters []*pb.OfpMeterConfig, flows []*pb.OfpFlowMod) bool {
	for _, flow := range flows {
		id := meterOf(flow.Instructions)
		if !slices.ContainsFunc(meters, func(m *pb.OfpMeterConfig) bool { return m.MeterId == id }) {
			return false
		}
	}
	return true
}

func meterOf(list []*pb.OfpInstruction) uint32 {
	for _, instruction := range list {
		if meter := instruction.GetMeter(); meter != nil {
			return meter.MeterId
		}
	}
	return 0
}

// findMeter returns the id of the meter with these bands among those where the
// search for them goes by, else the first free id and false.
func findMeter(meters []*pb.OfpMeterConfig, wanted []*pb.OfpMeterBandHeader) (uint32, bool) {
	for id := meterID(wanted); ; id = id%maxMeter + 1 {
		at := slices.IndexFunc(meters, func(m *pb.OfpMeterConfig) bool { return m.MeterId == id })
		if at < 0 {
			return id, false
		}
		if sameBands(meters[at].Bands, wanted) {
			return id, true
		}
	}
}

// ensureMeter returns the meter of these bands. Adding one whose id is taken is
// answered with OK and leaves the old rates, so the meter is read back.
func (c *Core) ensureMeter(ctx context.Context, logical string, wanted []*pb.OfpMeterBandHeader) (uint32, error) {
	meters, err := c.meters(ctx, logical)
	if err != nil {
		return 0, err
	}
	id, there := findMeter(meters, wanted)
	if there {
		return id, nil
	}
	if err := c.addMeter(ctx, logical, id, wanted); err != nil {
		return 0, err
	}
	meters, err = c.meters(ctx, logical)
	if err != nil {
		return 0, err
	}
	if id, there = findMeter(meters, wanted); !there {
		return 0, fmt.Errorf("%w: meter %d was accepted and is not listed: is a controller attached to the core?", linegate.ErrTryAgain, id)
	}
	return id, nil
}
