package voltha

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"linegate"
	pb "linegate/provisioning/voltha/volthapb"
)

// errNotReady is why a line can't be used now but may be later.
var errNotReady = fmt.Errorf("%w: not ready", linegate.ErrTryAgain)

// reasonPushed is what an ONU's adapter says when flows were written into the ONU.
// It speaks of the ONU, not of one flow.
const reasonPushed = "omci-flows-pushed"

// reasonDownloading comes just before that.
const reasonDownloading = "tech-profile-config-download-success"

// What an adapter says between a start of the ONU and the first flows: whatever
// flows the core lists, the ONU has none of them.
var startReasons = []string{
	"", "activating-onu", "starting-openomci", "stopping-openomci", "discovery-mibsync-complete", "initial-mib-downloaded",
}

// line is where a service goes: the ONU with its port, and the OLT above.
type line struct {
	logical  string // id of the logical device that has the flow table
	olt, onu *pb.Device
	uni, nni uint32        // port numbers in the logical device
	ports    []uint32      // all ports of the ONU
	adapters []*pb.Adapter // that are registered with the core
}

// rebooted reports whether the ONU has started since flows were last written.
func (l *line) rebooted() bool { return slices.Contains(startReasons, l.onu.Reason) }

// holds reports whether the ONU has the flows that the core lists: it has not
// started anew and none are on their way.
func (l *line) holds() bool { return !l.rebooted() && l.onu.Reason != reasonDownloading }

func (l *line) result(installed bool, detail string) linegate.ONUResult {
	return linegate.ONUResult{Installed: installed, Device: l.onu.Id, Detail: detail}
}

// uses reports whether a flow comes from or goes to a port of the ONU.
func (l *line) uses(flow *pb.OfpFlowStats) bool {
	for _, f := range flow.GetMatch().GetOxmFields() {
		if slices.Contains(l.ports, f.GetOfbField().GetPort()) {
			return true
		}
	}
	return false
}

// awaitLine waits until everything between the core and the ONU is ready, but no
// longer than Config.Ready.
func (c *Core) awaitLine(ctx context.Context, service *linegate.ONUService) (*line, error) {
	deadline := c.config.Now().Add(c.config.Ready)
	for {
		found, err := c.findLine(ctx, service)
		if err == nil {
			err = found.ready()
		}
		if err == nil || !errors.Is(err, errNotReady) || !c.config.Now().Before(deadline) {
			return found, err
		}
		if err := c.config.pause(ctx, c.config.Poll); err != nil {
			return nil, err
		}
	}
}

// findLine looks the UNI up by its name. Its number and the ids of the devices are
// new after the ONU was deleted and came back, so they are never kept.
func (c *Core) findLine(ctx context.Context, service *linegate.ONUService) (*line, error) {
	logicals, err := c.logicals(ctx)
	if err != nil {
		return nil, err
	}
	var found []*line
	for _, logical := range logicals {
		olt, err := c.readOLT(ctx, logical)
		if err != nil {
			return nil, err
		}
		candidate, err := c.lineOn(ctx, olt, portName(service))
		if err != nil {
			return nil, err
		}
		if candidate != nil {
			found = append(found, candidate)
		}
	}
	switch len(found) {
	case 0:
		return nil, c.whyNoPort(ctx, service)
	case 1:
		found[0].adapters, err = c.adapters(ctx)
		return found[0], err
	}
	return nil, fmt.Errorf("%w: the serial is on %d OLTs", linegate.ErrRefused, len(found))
}

// olt is what the core knows of one, with its ports in order and by name.
type olt struct {
	logical string
	device  *pb.Device
	ports   []*pb.LogicalPort
	byName  map[string]*pb.LogicalPort
}

func (c *Core) readOLT(ctx context.Context, logical *pb.LogicalDevice) (*olt, error) {
	device, err := c.device(ctx, logical.RootDeviceId)
	if err != nil {
		return nil, err
	}
	ports, err := c.ports(ctx, logical.Id)
	if err != nil {
		return nil, err
	}
	o := &olt{logical: logical.Id, device: device, ports: ports, byName: make(map[string]*pb.LogicalPort, len(ports))}
	for _, port := range ports {
		o.byName[strings.ToUpper(port.GetOfpPort().GetName())] = port
	}
	return o, nil
}

// lineOn returns nil when the port is not there.
func (c *Core) lineOn(ctx context.Context, above *olt, name string) (*line, error) {
	uni := above.byName[name]
	if uni == nil {
		return nil, nil
	}
	onu, err := c.device(ctx, uni.DeviceId)
	if err != nil {
		return nil, err
	}
	nni, there := uplink(above.ports)
	if !there {
		return nil, fmt.Errorf("%w: olt %s has no port to the network", errNotReady, above.device.SerialNumber)
	}
	l := &line{logical: above.logical, olt: above.device, onu: onu, uni: uni.OfpPort.PortNo, nni: nni}
	for _, p := range above.ports {
		if p.DeviceId == onu.Id {
			l.ports = append(l.ports, p.GetOfpPort().GetPortNo())
		}
	}
	return l, nil
}

// uplink is the port to the network: one that is live before one that isn't, then
// the lowest. All are down after a restart of the core.
func uplink(ports []*pb.LogicalPort) (uint32, bool) {
	const live = 4 // OFPPS_LIVE
	var best *pb.OfpPort
	for _, p := range ports {
		switch {
		case !p.RootPort || p.OfpPort == nil:
		case best == nil, p.OfpPort.State&live > best.State&live,
			p.OfpPort.State&live == best.State&live && p.OfpPort.PortNo < best.PortNo:
			best = p.OfpPort
		}
	}
	return best.GetPortNo(), best != nil
}

// whyNoPort says what stands in the way when no OLT has the port.
func (c *Core) whyNoPort(ctx context.Context, service *linegate.ONUService) error {
	devices, err := c.devices(ctx)
	if err != nil {
		return err
	}
	at := slices.IndexFunc(devices, func(d *pb.Device) bool { return !d.Root && strings.EqualFold(d.SerialNumber, service.Serial) })
	if at < 0 {
		return fmt.Errorf("%w: no ONU with this serial was discovered", errNotReady)
	}
	onu := devices[at]
	if onu.OperStatus == pb.OperStatus_ACTIVE {
		return fmt.Errorf("%w: the ONU is active and has no port %d", linegate.ErrRefused, service.UNI)
	}
	return fmt.Errorf("%w: %s", errNotReady, describeDevice("the ONU", onu))
}

// ready returns why flows would be refused or, worse, accepted in vain.
func (l *line) ready() error {
	for _, device := range []*pb.Device{l.olt, l.onu} {
		if !slices.ContainsFunc(l.adapters, func(a *pb.Adapter) bool { return a.Type == device.Type }) {
			return fmt.Errorf("%w: the adapter %s is not registered", errNotReady, device.Type)
		}
	}
	switch {
	case l.onu.AdminState == pb.AdminState_DISABLED:
		return fmt.Errorf("%w: the ONU is disabled in VOLTHA", linegate.ErrRefused)
	case !active(l.olt):
		return fmt.Errorf("%w: %s", errNotReady, describeDevice("the OLT", l.olt))
	case !active(l.onu):
		return fmt.Errorf("%w: %s", errNotReady, describeDevice("the ONU", l.onu))
	}
	return nil
}

func active(d *pb.Device) bool {
	return d.AdminState == pb.AdminState_ENABLED && d.OperStatus == pb.OperStatus_ACTIVE && d.ConnectStatus == pb.ConnectStatus_REACHABLE
}

func describeDevice(subject string, d *pb.Device) string {
	words := fmt.Sprintf("%s %s is %s/%s/%s", subject, d.SerialNumber, d.AdminState, d.OperStatus, d.ConnectStatus)
	if d.Reason != "" {
		words += " (" + d.Reason + ")"
	}
	return words
}
