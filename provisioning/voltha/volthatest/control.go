package volthatest

import (
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	pb "linegate/provisioning/voltha/volthapb"
)

// locked runs do when what is due has happened.
func (c *Core) locked(do func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pass()
	do()
}

// Flows are those that the core lists.
func (c *Core) Flows() (list []*pb.OfpFlowStats) {
	c.locked(func() { list = slices.Clone(c.flows) })
	return list
}

// Wire are the flows that OLT and ONUs really have.
func (c *Core) Wire() (list []*pb.OfpFlowStats) {
	c.locked(func() { list = slices.Clone(c.wire) })
	return list
}

// Meters are those that the core lists.
func (c *Core) Meters() (list []*pb.OfpMeterConfig) {
	c.locked(func() { list = slices.Clone(c.meters) })
	return list
}

// Crashes says what was sent that brings a process of VOLTHA down.
func (c *Core) Crashes() (list []string) {
	c.locked(func() { list = slices.Clone(c.crashes) })
	return list
}

// LogicalID is the id of the OLT's logical device.
func (c *Core) LogicalID() string { return c.logical.Id }

// Restart restarts the core: devices and meters survive, the list of flows does
// not, OLT and ONUs keep theirs, and all UNI ports show as down.
func (c *Core) Restart() {
	c.locked(func() {
		c.flows, c.later, c.down = nil, nil, false
		clear(c.refused)
		for _, port := range c.ports {
			if !port.RootPort {
				port.OfpPort.State = 1
			}
		}
	})
}

// RebootONU makes an ONU lose its flows while the core goes on listing them.
func (c *Core) RebootONU(serial string) {
	c.locked(func() {
		onu := c.onu(serial)
		onu.Reason = "initial-mib-downloaded"
		c.wire = slices.DeleteFunc(c.wire, func(f *pb.OfpFlowStats) bool { return atONU(f) && c.onuOf(f) == onu })
	})
}

// SetONU puts an ONU into a state.
func (c *Core) SetONU(serial string, admin pb.AdminState_Types, oper pb.OperStatus_Types, connect pb.ConnectStatus_Types, reason string) {
	c.locked(func() {
		onu := c.onu(serial)
		onu.AdminState, onu.OperStatus, onu.ConnectStatus, onu.Reason = admin, oper, connect, reason
	})
}

// PowerOff switches an ONU off, PowerOn on again, with its flows lost.
func (c *Core) PowerOff(serial string) {
	c.SetONU(serial, pb.AdminState_ENABLED, pb.OperStatus_DISCOVERED, pb.ConnectStatus_UNREACHABLE, "stopping-openomci")
}

// PowerOn switches an ONU on.
func (c *Core) PowerOn(serial string) {
	c.SetONU(serial, pb.AdminState_ENABLED, pb.OperStatus_ACTIVE, pb.ConnectStatus_REACHABLE, "initial-mib-downloaded")
	c.RebootONU(serial)
}

// DeleteONU deletes an ONU. It comes back at once with a new id and the same port
// numbers; its flows stay in the table of the core.
func (c *Core) DeleteONU(serial string) {
	c.locked(func() {
		onu := proto.CloneOf(c.onu(serial))
		old := onu.Id
		c.renewed++
		onu.Id = fmt.Sprintf("00000000-0000-4000-8000-%012d", c.renewed)
		onu.Reason = "initial-mib-downloaded"
		for _, port := range c.ports {
			if port.DeviceId == old {
				port.DeviceId = onu.Id
			}
		}
		c.devices = append(slices.DeleteFunc(c.devices, func(d *pb.Device) bool { return d.Id == old }), onu)
	})
	c.RebootONU(serial)
}

// Unplug removes an ONU with its ports, as if it had never been discovered.
func (c *Core) Unplug(serial string) {
	c.locked(func() {
		id := c.onu(serial).Id
		c.ports = slices.DeleteFunc(c.ports, func(p *pb.LogicalPort) bool { return p.DeviceId == id })
		c.devices = slices.DeleteFunc(c.devices, func(d *pb.Device) bool { return d.Id == id })
	})
}

// AddONUs adds so many active ONUs with one port each and returns their serials.
func (c *Core) AddONUs(count int) (serials []string) {
	c.locked(func() {
		for i := range count {
			onu := proto.CloneOf(c.onu("BBSM00000001"))
			onu.Id = fmt.Sprintf("00000000-0000-4000-9000-%012d", i)
			onu.SerialNumber = fmt.Sprintf("BBSM%08X", 0x10000+i)
			onu.Reason = "initial-mib-downloaded"
			number := uint32(0x10000 + i)
			c.devices = append(c.devices, onu)
			c.ports = append(c.ports, &pb.LogicalPort{
				Id: fmt.Sprintf("uni-%d", number), DeviceId: onu.Id, DevicePortNo: number,
				OfpPort: &pb.OfpPort{PortNo: number, Name: onu.SerialNumber + "-1", State: 4},
			})
			serials = append(serials, onu.SerialNumber)
		}
	})
	return serials
}

// SetOLT puts the OLT into a state.
func (c *Core) SetOLT(admin pb.AdminState_Types, oper pb.OperStatus_Types, connect pb.ConnectStatus_Types) {
	c.locked(func() {
		c.olt().AdminState, c.olt().OperStatus, c.olt().ConnectStatus = admin, oper, connect
	})
}

// SetOLTAdapter takes the connection to the OLT's adapter down, or up again.
func (c *Core) SetOLTAdapter(up bool) { c.locked(func() { c.oltAdapter = up }) }

// Unregister removes an adapter that has not yet registered with the core.
func (c *Core) Unregister(kind string) {
	c.locked(func() {
		c.adapters = slices.DeleteFunc(c.adapters, func(a *pb.Adapter) bool { return a.Type == kind })
	})
}

// AttachController attaches a controller that deletes all flows and meters that
// are not its own.
func (c *Core) AttachController() { c.locked(func() { c.controller = true }) }

// Stall makes an ONU's adapter take flows and never report them written.
func (c *Core) Stall(serial string) { c.locked(func() { c.stalled = serial }) }

// AddMeter puts a meter into the core's table, as somebody else would.
func (c *Core) AddMeter(meter *pb.OfpMeterConfig) {
	c.locked(func() { c.meters = append(c.meters, meter) })
}

// AddFlow puts a flow into the core's table, as somebody else would.
func (c *Core) AddFlow(mod *pb.OfpFlowMod) {
	c.locked(func() { c.flows = append(c.flows, entry(mod)) })
}

// Register registers an adapter.
func (c *Core) Register(kind string) {
	c.locked(func() { c.adapters = append(c.adapters, &pb.Adapter{Id: kind + "_1", Type: kind}) })
}

// RemoveUplink removes the OLT's ports to the network.
func (c *Core) RemoveUplink() {
	c.locked(func() { c.ports = slices.DeleteFunc(c.ports, func(p *pb.LogicalPort) bool { return p.RootPort }) })
}
