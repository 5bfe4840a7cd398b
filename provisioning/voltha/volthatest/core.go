package volthatest

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"linegate/provisioning/peertest"
	pb "linegate/provisioning/voltha/volthapb"
)

// How long things take in the core and its adapters, as recorded.
const (
	download    = 50 * time.Millisecond  // until the technology profile is in the ONU
	pushed      = 100 * time.Millisecond // until its flows are
	noMeter     = 2 * time.Millisecond   // until a flow without a meter is dropped
	noProfile   = 1500 * time.Millisecond
	notThere    = 2 * time.Second // until flows to an ONU that is off are dropped
	audit       = 250 * time.Millisecond
	knownTechLo = 64 // technology profiles that exist
	knownTechHi = 66
)

// Core is a VOLTHA core with one OLT, adapters and simulated ONUs. All its methods
// are safe for concurrent use.
type Core struct {
	peertest.Faults
	pb.UnimplementedVolthaServiceServer
	address string
	now     func() time.Time

	mu         sync.Mutex
	adapters   []*pb.Adapter
	logical    *pb.LogicalDevice
	devices    []*pb.Device
	ports      []*pb.LogicalPort
	flows      []*pb.OfpFlowStats // what the core lists
	wire       []*pb.OfpFlowStats // what OLT and ONU really have
	refused    map[string]bool    // identities of flows that an adapter refused
	meters     []*pb.OfpMeterConfig
	later      []event
	crashes    []string
	down       bool
	oltAdapter bool // its connection is up
	controller bool
	stalled    string
	renewed    int
}

// event is something that happens by itself once its time has come.
type event struct {
	at time.Time
	do func()
}

// StartCore starts a core whose OLT and ONUs are the recorded ones, all active.
// now is its clock; nil: time.Now.
func StartCore(t testing.TB, now func() time.Time) *Core {
	t.Helper()
	if now == nil {
		now = time.Now
	}
	c := &Core{now: now, oltAdapter: true, refused: map[string]bool{}}
	c.load(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	c.address = listener.Addr().String()
	server := grpc.NewServer(grpc.UnaryInterceptor(c.intercept))
	pb.RegisterVolthaServiceServer(server, c)
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	t.Cleanup(func() {
		server.Stop()
		require.NoError(t, <-done)
	})
	return c
}

func (c *Core) load(t testing.TB) {
	var adapters pb.Adapters
	var devices pb.Devices
	var logicals pb.LogicalDevices
	var ports pb.LogicalPorts
	into := map[string]proto.Message{
		"ListAdapters": &adapters, "ListDevices": &devices, "ListLogicalDevices": &logicals, "ListLogicalDevicePorts": &ports,
	}
	for _, exchange := range Recorded(t, "topology.jsonl") {
		Decode(t, exchange.Response, into[exchange.Call()])
	}
	c.adapters, c.logical, c.ports = adapters.Items, logicals.Items[0], ports.Items
	// What a failed create left in the recording is no part of the network.
	c.devices = slices.DeleteFunc(devices.Items, func(d *pb.Device) bool { return d.Type == "nosuch" })
}

// Address is host:port of the gRPC service.
func (c *Core) Address() string { return c.address }

// intercept injects faults, and lets time and the controller do their part.
func (c *Core) intercept(ctx context.Context, request any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	fault := c.Next(info.FullMethod[strings.LastIndexByte(info.FullMethod, '/')+1:])
	if fault != nil {
		fault.Wait(ctx)
		switch {
		case fault.Hang:
			return nil, status.FromContextError(ctx.Err()).Err()
		case fault.Err != nil:
			return nil, fault.Err
		case fault.Breaks():
			return nil, broken()
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.down {
		return nil, status.Error(codes.Unavailable, "connection error: desc = \"transport: Error while dialing: dial tcp: connect: connection refused\"")
	}
	c.pass()
	answer, err := handler(ctx, request)
	if fault != nil && fault.Lost {
		return nil, broken()
	}
	// The answer must not change while it is being sent.
	if message, ok := answer.(proto.Message); ok && err == nil {
		return proto.Clone(message), nil
	}
	return answer, err
}

func broken() error { return status.Error(codes.Unavailable, "error reading from server: EOF") }

// pass lets happen what is due.
func (c *Core) pass() {
	for {
		now := c.now()
		at := -1
		for i := range c.later {
			if !c.later[i].at.After(now) && (at < 0 || c.later[i].at.Before(c.later[at].at)) {
				at = i
			}
		}
		if at < 0 {
			return
		}
		due := c.later[at]
		c.later = slices.Delete(c.later, at, at+1)
		due.do()
	}
}

func (c *Core) in(wait time.Duration, do func()) {
	c.later = append(c.later, event{at: c.now().Add(wait), do: do})
}

func (c *Core) crash(why string) error {
	c.crashes = append(c.crashes, why)
	c.down = true
	return broken()
}

func (c *Core) ListAdapters(context.Context, *pb.Empty) (*pb.Adapters, error) {
	return &pb.Adapters{Items: c.adapters}, nil
}

func (c *Core) ListDevices(context.Context, *pb.Empty) (*pb.Devices, error) {
	return &pb.Devices{Items: c.devices}, nil
}

func (c *Core) GetDevice(_ context.Context, id *pb.ID) (*pb.Device, error) {
	if at := slices.IndexFunc(c.devices, func(d *pb.Device) bool { return d.Id == id.Id }); at >= 0 {
		return c.devices[at], nil
	}
	return nil, status.Error(codes.NotFound, id.Id)
}

func (c *Core) ListLogicalDevices(context.Context, *pb.Empty) (*pb.LogicalDevices, error) {
	if c.logical == nil {
		return &pb.LogicalDevices{}, nil
	}
	return &pb.LogicalDevices{Items: []*pb.LogicalDevice{c.logical}}, nil
}

func (c *Core) ListLogicalDevicePorts(_ context.Context, id *pb.ID) (*pb.LogicalPorts, error) {
	return &pb.LogicalPorts{Items: c.ports}, c.known(id.Id)
}

func (c *Core) ListLogicalDeviceFlows(_ context.Context, id *pb.ID) (*pb.Flows, error) {
	return &pb.Flows{Items: c.flows}, c.known(id.Id)
}

func (c *Core) ListLogicalDeviceMeters(_ context.Context, id *pb.ID) (*pb.Meters, error) {
	list := &pb.Meters{}
	for _, meter := range c.meters {
		list.Items = append(list.Items, &pb.OfpMeterEntry{Config: meter})
	}
	return list, c.known(id.Id)
}

func (c *Core) known(logical string) error {
	if c.logical == nil || c.logical.Id != logical {
		return status.Error(codes.NotFound, logical)
	}
	return nil
}

func (c *Core) onu(serial string) *pb.Device {
	at := slices.IndexFunc(c.devices, func(d *pb.Device) bool { return d.SerialNumber == serial })
	if at < 0 {
		panic(fmt.Sprintf("volthatest: no device %s", serial))
	}
	return c.devices[at]
}

func (c *Core) olt() *pb.Device {
	return c.devices[slices.IndexFunc(c.devices, func(d *pb.Device) bool { return d.Root })]
}
