package volthatest

import (
	"cmp"
	"context"
	"fmt"
	"hash/fnv"
	"slices"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	pb "linegate/provisioning/voltha/volthapb"
)

const (
	anyOut   = 0xffffffff
	allTable = 255 // OFPTT_ALL
)

// UpdateLogicalDeviceFlowTable does with a flow what the core does.
func (c *Core) UpdateLogicalDeviceFlowTable(_ context.Context, update *pb.FlowTableUpdate) (*pb.Empty, error) {
	if err := c.known(update.Id); err != nil {
		return nil, err
	}
	mod := update.FlowMod
	switch {
	case mod == nil:
		return &pb.Empty{}, nil
	case mod.Match == nil:
		return nil, c.crash("a flow without match")
	}
	switch mod.Command {
	case pb.OfpFlowModCommand_OFPFC_ADD:
		return &pb.Empty{}, c.add(mod)
	case pb.OfpFlowModCommand_OFPFC_DELETE_STRICT:
		return &pb.Empty{}, c.deleteStrict(mod)
	case pb.OfpFlowModCommand_OFPFC_DELETE:
		c.deleteByCookie(mod)
		return &pb.Empty{}, nil
	case pb.OfpFlowModCommand_OFPFC_MODIFY:
		return nil, status.Error(codes.Unknown, "flowModify not implemented")
	}
	return nil, status.Error(codes.Unknown, "flowModifyStrict not implemented")
}

func (c *Core) add(mod *pb.OfpFlowMod) error {
	flow := entry(mod)
	if err := c.route(flow); err != nil {
		return err
	}
	at := c.find(flow)
	if at >= 0 && proto.Equal(c.flows[at], flow) {
		return nil // the adapters hear nothing of it
	}
	if at >= 0 {
		c.flows[at] = flow
	} else {
		c.flows = append(c.flows, flow)
	}
	c.pushDown(flow)
	return nil
}

// route refuses what leads nowhere, in the core's words.
func (c *Core) route(flow *pb.OfpFlowStats) error {
	in := inPort(flow)
	switch {
	case c.port(in) == nil && flow.TableId == 0:
		return status.Errorf(codes.Unknown, "no downstream route from:%d to:0 :no route", in)
	case c.port(in) == nil:
		return status.Errorf(codes.Unknown, "no route from:%d to:%d for ingress port %d not found no route", in, outPort(flow), in)
	case downstream(flow) && flow.TableId == 0 && c.port(uint32(metadata(flow))) == nil:
		return status.Error(codes.Unavailable, "adapter(s)-not-ready")
	case !atONU(flow) && !c.oltAdapter:
		return status.Error(codes.Unavailable, "adapter-connection-down-for-"+c.olt().Id)
	}
	return nil
}

// pushDown is the adapters' part, which comes after the answer.
func (c *Core) pushDown(flow *pb.OfpFlowStats) {
	onu := c.onuOf(flow)
	profile := metadata(flow) >> 32 & 0xffff
	switch {
	case wrongTPID(flow):
		c.crashes = append(c.crashes, "push_vlan of another tag than 0x8100")
		c.oltAdapter = false
		c.adapters = slices.DeleteFunc(c.adapters, func(a *pb.Adapter) bool { return a.Type == "openolt" })
	case !c.meterWorks(meter(flow)):
		c.in(noMeter, func() { c.drop(flow) })
	case profile < knownTechLo || profile > knownTechHi:
		c.in(noProfile, func() { c.drop(flow) })
	case onu == nil, c.olt().AdminState == pb.AdminState_DISABLED:
		c.in(notThere, func() { c.drop(flow) })
	case onu.ConnectStatus != pb.ConnectStatus_REACHABLE:
		// The last flow of the four stays: a half installed group.
		if !downstream(flow) || flow.TableId == 0 {
			c.in(notThere, func() { c.drop(flow) })
		}
	default:
		c.install(flow, onu)
	}
}

func (c *Core) install(flow *pb.OfpFlowStats, onu *pb.Device) {
	c.wire = append(slices.DeleteFunc(c.wire, func(f *pb.OfpFlowStats) bool { return identity(f) == identity(flow) }), flow)
	if atONU(flow) && !downstream(flow) && onu.SerialNumber != c.stalled {
		c.in(download, func() { onu.Reason = "tech-profile-config-download-success" })
		c.in(pushed, func() { onu.Reason = "omci-flows-pushed" })
	}
	if c.controller {
		c.in(audit, func() { c.flows, c.wire = nil, nil })
		c.in(2*audit, func() { c.meters = nil })
	}
}

func (c *Core) drop(flow *pb.OfpFlowStats) {
	c.refused[identity(flow)] = true
	c.flows = slices.DeleteFunc(c.flows, func(f *pb.OfpFlowStats) bool { return f == flow })
}

func (c *Core) deleteStrict(mod *pb.OfpFlowMod) error {
	flow := entry(mod)
	if mod.OutPort != anyOut || mod.OutGroup != anyOut {
		return nil // matches no flow
	}
	if !atONU(flow) && !c.oltAdapter {
		return status.Error(codes.Unavailable, "adapter-connection-down-for-"+c.olt().Id)
	}
	at := c.find(flow)
	switch {
	case c.refused[identity(flow)], at >= 0 && !c.meterWorks(meter(c.flows[at])):
		c.flows = slices.DeleteFunc(c.flows, func(f *pb.OfpFlowStats) bool { return identity(f) == identity(flow) })
		return status.Errorf(codes.Aborted, "failed deleting flows id:%d, errors:[rpc error: code = NotFound desc = meter-referred-in-flow-not-present]", flow.Id)
	case at < 0:
		return nil
	}
	c.remove(at)
	return nil
}

// remove takes a flow off the line as well.
func (c *Core) remove(at int) {
	flow := c.flows[at]
	c.flows = slices.Delete(c.flows, at, at+1)
	c.wire = slices.DeleteFunc(c.wire, func(f *pb.OfpFlowStats) bool { return identity(f) == identity(flow) })
	if onu := c.onuOf(flow); onu != nil && atONU(flow) && !downstream(flow) {
		onu.Reason = "omci-flows-deleted"
		c.in(download, func() {
			if onu.Reason == "omci-flows-deleted" {
				onu.Reason = "tech-profile-config-delete-success"
			}
		})
	}
}

// deleteByCookie is the one form of a wider delete that works.
func (c *Core) deleteByCookie(mod *pb.OfpFlowMod) {
	if mod.TableId != allTable || len(mod.Match.OxmFields) > 0 || mod.CookieMask == 0 {
		if at := c.find(entry(mod)); at >= 0 {
			c.remove(at)
		}
		return
	}
	for at := len(c.flows) - 1; at >= 0; at-- {
		if c.flows[at].Cookie&mod.CookieMask == mod.Cookie {
			c.remove(at)
		}
	}
}

// UpdateLogicalDeviceMeterTable does with a meter what the core does.
func (c *Core) UpdateLogicalDeviceMeterTable(_ context.Context, update *pb.MeterModUpdate) (*pb.Empty, error) {
	if err := c.known(update.Id); err != nil {
		return nil, err
	}
	mod := update.MeterMod
	at := slices.IndexFunc(c.meters, func(m *pb.OfpMeterConfig) bool { return m.MeterId == mod.MeterId })
	config := &pb.OfpMeterConfig{Flags: mod.Flags, MeterId: mod.MeterId, Bands: mod.Bands}
	switch {
	case mod.Command == pb.OfpMeterModCommand_OFPMC_ADD && at < 0:
		c.meters = append(c.meters, config)
	case mod.Command == pb.OfpMeterModCommand_OFPMC_ADD: // the old rates stay
	case mod.Command == pb.OfpMeterModCommand_OFPMC_MODIFY && at < 0:
		return nil, status.Errorf(codes.Unknown, "no-meter-to-modify: %d, logical-device-id: %s", mod.MeterId, update.Id)
	case mod.Command == pb.OfpMeterModCommand_OFPMC_MODIFY:
		c.meters[at] = config
	case at >= 0:
		// The flows that use it leave the core's table and stay on the OLT.
		c.meters = slices.Delete(c.meters, at, at+1)
		c.flows = slices.DeleteFunc(c.flows, func(f *pb.OfpFlowStats) bool { return meter(f) == mod.MeterId })
	}
	return &pb.Empty{}, nil
}

// meterWorks reports whether the meter is there with bands that can be read.
func (c *Core) meterWorks(id uint32) bool {
	at := slices.IndexFunc(c.meters, func(m *pb.OfpMeterConfig) bool { return m.MeterId == id })
	if at < 0 {
		return false
	}
	bursts := 0
	for _, band := range c.meters[at].Bands {
		if band.BurstSize > 0 {
			bursts++
		}
	}
	switch bands := c.meters[at].Bands; len(bands) {
	case 1:
		return true
	case 2:
		return bursts == 2 || bursts == 0 && bands[0].Rate == bands[1].Rate
	case 3:
		return bursts == 2
	}
	return false
}

func entry(mod *pb.OfpFlowMod) *pb.OfpFlowStats {
	fields := slices.SortedFunc(slices.Values(mod.Match.OxmFields), func(a, b *pb.OfpOxmField) int {
		return cmp.Compare(a.GetOfbField().GetType(), b.GetOfbField().GetType())
	})
	flow := &pb.OfpFlowStats{
		TableId: mod.TableId, Priority: mod.Priority, Cookie: mod.Cookie,
		Match: &pb.OfpMatch{Type: mod.Match.Type, OxmFields: fields}, Instructions: mod.Instructions,
	}
	hash := fnv.New64a()
	hash.Write([]byte(identity(flow)))
	flow.Id = hash.Sum64()
	return flow
}

// identity is what the core tells flows apart by.
func identity(flow *pb.OfpFlowStats) string {
	words := fmt.Sprint(flow.TableId, " ", flow.Priority)
	for _, oxm := range flow.Match.OxmFields {
		f := oxm.GetOfbField()
		words += fmt.Sprint(" ", int32(f.GetType()), " ", f.GetPort(), f.GetTableMetadata(), f.GetVlanVid(), "/", f.GetVlanVidMask())
	}
	return words
}

func (c *Core) find(flow *pb.OfpFlowStats) int {
	return slices.IndexFunc(c.flows, func(f *pb.OfpFlowStats) bool { return identity(f) == identity(flow) })
}

func (c *Core) port(number uint32) *pb.LogicalPort {
	at := slices.IndexFunc(c.ports, func(p *pb.LogicalPort) bool { return p.OfpPort.PortNo == number })
	if at < 0 {
		return nil
	}
	return c.ports[at]
}

// onuOf is the ONU that the flow is about; nil when it is gone.
func (c *Core) onuOf(flow *pb.OfpFlowStats) *pb.Device {
	number := inPort(flow)
	if downstream(flow) {
		number = uint32(metadata(flow))
	}
	port := c.port(number)
	if port == nil {
		return nil
	}
	at := slices.IndexFunc(c.devices, func(d *pb.Device) bool { return d.Id == port.DeviceId })
	if at < 0 {
		return nil
	}
	return c.devices[at]
}

func inPort(flow *pb.OfpFlowStats) uint32 {
	for _, oxm := range flow.Match.OxmFields {
		if oxm.GetOfbField().GetType() == pb.OxmOfbFieldTypes_OFPXMT_OFB_IN_PORT {
			return oxm.GetOfbField().GetPort()
		}
	}
	return 0
}

// downstream: ports towards the network have numbers from 1<<24.
func downstream(flow *pb.OfpFlowStats) bool { return inPort(flow) >= 1<<24 }

// atONU reports whether the flow is the ONU's part.
func atONU(flow *pb.OfpFlowStats) bool { return downstream(flow) == (flow.TableId == 1) }

func metadata(flow *pb.OfpFlowStats) uint64 {
	for _, instruction := range flow.Instructions {
		if data := instruction.GetWriteMetadata(); data != nil {
			return data.Metadata
		}
	}
	return 0
}

func meter(flow *pb.OfpFlowStats) uint32 {
	for _, instruction := range flow.Instructions {
		if used := instruction.GetMeter(); used != nil {
			return used.MeterId
		}
	}
	return 0
}

func outPort(flow *pb.OfpFlowStats) uint32 {
	for _, instruction := range flow.Instructions {
		for _, action := range instruction.GetActions().GetActions() {
			if out := action.GetOutput(); out != nil {
				return out.Port
			}
		}
	}
	return 0
}

func wrongTPID(flow *pb.OfpFlowStats) bool {
	for _, instruction := range flow.Instructions {
		for _, action := range instruction.GetActions().GetActions() {
			if action.Type == pb.OfpActionType_OFPAT_PUSH_VLAN && action.GetPush().GetEthertype() != 0x8100 {
				return true
			}
		}
	}
	return false
}
