package voltha

import (
	"context"
	"fmt"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"linegate"
	pb "linegate/provisioning/voltha/volthapb"
)

// ask makes a call that changes nothing.
func ask[In, Out any](ctx context.Context, c *Core, what string, call func(context.Context, In, ...grpc.CallOption) (Out, error), in In) (Out, error) {
	ctx, cancel := context.WithTimeout(ctx, c.config.Call)
	defer cancel()
	out, err := call(ctx, in)
	if err != nil {
		return out, fmt.Errorf("%s: %w: %w", what, readError(err), err)
	}
	return out, nil
}

// tell makes a call that changes something.
func tell[In any](ctx context.Context, c *Core, what string, call func(context.Context, In, ...grpc.CallOption) (*pb.Empty, error), in In) error {
	ctx, cancel := context.WithTimeout(ctx, c.config.Call)
	defer cancel()
	if _, err := call(ctx, in); err != nil {
		return fmt.Errorf("%s: %w: %w", what, writeError(err), err)
	}
	return nil
}

func (c *Core) adapters(ctx context.Context) ([]*pb.Adapter, error) {
	list, err := ask(ctx, c, "list adapters", c.api.ListAdapters, &pb.Empty{})
	return list.GetItems(), err
}

func (c *Core) devices(ctx context.Context) ([]*pb.Device, error) {
	list, err := ask(ctx, c, "list devices", c.api.ListDevices, &pb.Empty{})
	return list.GetItems(), err
}

func (c *Core) logicals(ctx context.Context) ([]*pb.LogicalDevice, error) {
	list, err := ask(ctx, c, "list logical devices", c.api.ListLogicalDevices, &pb.Empty{})
	return list.GetItems(), err
}

func (c *Core) device(ctx context.Context, id string) (*pb.Device, error) {
	return ask(ctx, c, "get device", c.api.GetDevice, &pb.ID{Id: id})
}

func (c *Core) ports(ctx context.Context, logical string) ([]*pb.LogicalPort, error) {
	list, err := ask(ctx, c, "list ports", c.api.ListLogicalDevicePorts, &pb.ID{Id: logical})
	return list.GetItems(), err
}

// installed lists the flow table of a logical device.
func (c *Core) installed(ctx context.Context, logical string) ([]*pb.OfpFlowStats, error) {
	list, err := ask(ctx, c, "list flows", c.api.ListLogicalDeviceFlows, &pb.ID{Id: logical})
	return list.GetItems(), err
}

func (c *Core) meters(ctx context.Context, logical string) ([]*pb.OfpMeterConfig, error) {
	list, err := ask(ctx, c, "list meters", c.api.ListLogicalDeviceMeters, &pb.ID{Id: logical})
	var meters []*pb.OfpMeterConfig
	for _, entry := range list.GetItems() {
		meters = append(meters, entry.GetConfig())
	}
	return meters, err
}

func (c *Core) updateFlow(ctx context.Context, logical string, flow *pb.OfpFlowMod) error {
	return tell(ctx, c, "update flows", c.api.UpdateLogicalDeviceFlowTable,
		&pb.FlowTableUpdate{Id: logical, FlowMod: flow, Xid: c.xid.Add(1)})
}

func (c *Core) addMeter(ctx context.Context, logical string, id uint32, bands []*pb.OfpMeterBandHeader) error {
	return tell(ctx, c, "add meter", c.api.UpdateLogicalDeviceMeterTable, &pb.MeterModUpdate{
		Id: logical, Xid: c.xid.Add(1),
		MeterMod: &pb.OfpMeterMod{Command: pb.OfpMeterModCommand_OFPMC_ADD, Flags: meterFlags, MeterId: id, Bands: bands},
	})
}

// readError says what a failed question means: nothing was done in any case.
func readError(err error) error {
	switch status.Code(err) {
	case codes.Unauthenticated, codes.PermissionDenied, codes.Unimplemented, codes.InvalidArgument:
		return linegate.ErrRefused
	}
	return linegate.ErrTryAgain // not found as well: an ONU that comes back has a new id
}

// writeError says what a failed change means. The core's codes say little: many
// refusals are Unknown, and "adapter(s)-not-ready" also means a wrong port.
func writeError(err error) error {
	switch code := status.Code(err); {
	case code == codes.DeadlineExceeded, code == codes.Canceled, code == codes.Unavailable && !atCore(err):
		return linegate.ErrOutcomeUnknown
	case code == codes.Unauthenticated, code == codes.PermissionDenied, code == codes.Unimplemented,
		code == codes.InvalidArgument, code == codes.FailedPrecondition,
		code == codes.Unknown && strings.Contains(status.Convert(err).Message(), "not implemented"):
		return linegate.ErrRefused
	}
	return linegate.ErrTryAgain
}

// atCore tells the core's own Unavailable, which it answers before it does
// anything, from that of a connection that broke under way.
func atCore(err error) bool {
	message := status.Convert(err).Message()
	return strings.HasPrefix(message, "adapter") || strings.Contains(message, "connection refused")
}
