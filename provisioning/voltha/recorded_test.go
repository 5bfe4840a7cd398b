package voltha

import (
	"bytes"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"linegate"
	pb "linegate/provisioning/voltha/volthapb"
	"linegate/provisioning/voltha/volthatest"
)

// recordedFlows are the four of a service that a real core took.
func recordedFlows(t *testing.T, file, step string) []*pb.OfpFlowMod {
	t.Helper()
	var list []*pb.OfpFlowMod
	for _, exchange := range volthatest.Recorded(t, file) {
		if strings.HasPrefix(exchange.Step, step) {
			var update pb.FlowTableUpdate
			volthatest.Decode(t, exchange.Request, &update)
			list = append(list, update.FlowMod)
		}
	}
	require.GreaterOrEqual(t, len(list), 4)
	return list[:4] // repeats come after
}

func TestFlowsAreThoseThatARealCoreInstalled(t *testing.T) {
	cases := map[string]struct {
		file, step string
		service    linegate.ONUService
		path       path
	}{
		"two tags, the customer's own tag is swapped": {"provision.jsonl", "QinQ ADD ",
			linegate.ONUService{QinQ: true, CustomerVLAN: 35, InnerVLAN: 900, ServiceVLAN: 800}, path{uni: 256}},
		"two tags, the customer sends none": {"provision.jsonl", "QinQ, untagged UNI, ADD",
			linegate.ONUService{QinQ: true, InnerVLAN: 901, ServiceVLAN: 800}, path{uni: 768}},
		"any customer tag passes beneath the outer one": {"provision.jsonl", "DT transparent",
			linegate.ONUService{Transparent: true, ServiceVLAN: 600}, path{uni: 1024}},
		"one tag, and no second one is looked for": {"errors.jsonl", "single VLAN (B form)",
			linegate.ONUService{ServiceVLAN: 710}, path{uni: 259}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			c.path.nni, c.path.upMeter, c.path.dnMeter, c.path.techProfile = 1<<24, 1, 2, 64
			built := flows(&c.service, c.path)
			for i, recorded := range recordedFlows(t, c.file, c.step) {
				built[i].Cookie, recorded.Cookie = 0, 0
				recorded.Match = sorted(recorded.Match)
				assert.True(t, proto.Equal(recorded, built[i]), "flow %d: recorded %v, built %v", i, recorded, built[i])
			}
		})
	}
}

// The fake is worth what it has in common with the real core: it is told what the
// real one was told and must say what that said.
func TestTheFakeAnswersAsTheRecordedCore(t *testing.T) {
	for _, file := range []string{"provision.jsonl", "errors.jsonl"} {
		t.Run(file, func(t *testing.T) {
			replay(t, file, func(*volthatest.Core) {})
		})
	}
	t.Run("with the adapter of the OLT down", func(t *testing.T) {
		replay(t, "adapter-down.jsonl", func(core *volthatest.Core) { core.SetOLTAdapter(false) })
	})
}

func TestTheFakeDiesOfWhatBringsTheRealOnesDown(t *testing.T) {
	open := func(t *testing.T) (*volthatest.Core, pb.VolthaServiceClient) {
		core := volthatest.StartCore(t, nil)
		connection, err := grpc.NewClient(core.Address(), grpc.WithTransportCredentials(insecure.NewCredentials()))
		require.NoError(t, err)
		t.Cleanup(func() { assert.NoError(t, connection.Close()) })
		loadMeters(t, connection, core)
		return core, pb.NewVolthaServiceClient(connection)
	}
	t.Run("the core of a flow without a match", func(t *testing.T) {
		core, api := open(t)
		update := &pb.FlowTableUpdate{Id: core.LogicalID(), FlowMod: &pb.OfpFlowMod{Priority: 10}}
		_, err := api.UpdateLogicalDeviceFlowTable(t.Context(), update)
		assert.Equal(t, codes.Unavailable, status.Code(err))
		_, err = api.ListDevices(t.Context(), &pb.Empty{})
		assert.Equal(t, codes.Unavailable, status.Code(err))
		assert.Len(t, core.Crashes(), 1)
		core.Restart()
		_, err = api.ListDevices(t.Context(), &pb.Empty{})
		assert.NoError(t, err)
	})
	t.Run("the adapter of the OLT of another tag than 0x8100", func(t *testing.T) {
		core, api := open(t)
		flow := recordedFlows(t, "provision.jsonl", "QinQ ADD ")[1]
		flow.Instructions[0].GetActions().Actions[0].GetPush().Ethertype = 0x88a8
		_, err := api.UpdateLogicalDeviceFlowTable(t.Context(), &pb.FlowTableUpdate{Id: core.LogicalID(), FlowMod: flow})
		require.NoError(t, err, "the core takes it")
		assert.Len(t, core.Crashes(), 1)
		adapters, err := api.ListAdapters(t.Context(), &pb.Empty{})
		require.NoError(t, err)
		assert.Len(t, adapters.Items, 1)
	})
}

func replay(t *testing.T, file string, prepare func(*volthatest.Core)) {
	now := newClock()
	core := volthatest.StartCore(t, now.Now)
	connection, err := grpc.NewClient(core.Address(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, connection.Close()) })
	loadMeters(t, connection, core)
	prepare(core)
	for _, exchange := range volthatest.Recorded(t, file) {
		request, answer := messages(exchange.Call())
		if request == nil {
			continue // not a call of ours
		}
		volthatest.Decode(t, renamed(exchange.Request, core), request)
		err := connection.Invoke(t.Context(), "/voltha.VolthaService/"+exchange.Call(), request, answer)
		if exchange.Error == nil {
			assert.NoError(t, err, exchange.Step)
			continue
		}
		assert.EqualValues(t, exchange.Error.Code, status.Code(err), exchange.Step)
		said := status.Convert(err).Message()
		assert.Equal(t, withoutIDs(exchange.Error.Message), withoutIDs(said), exchange.Step)
		now.After(noLongerThan)
	}
}

// loadMeters gives the core the meters that were there in the recordings.
func loadMeters(t *testing.T, connection *grpc.ClientConn, core *volthatest.Core) {
	for _, exchange := range volthatest.Recorded(t, "provision.jsonl") {
		if exchange.Call() == "UpdateLogicalDeviceMeterTable" {
			var update pb.MeterModUpdate
			volthatest.Decode(t, renamed(exchange.Request, core), &update)
			_, err := pb.NewVolthaServiceClient(connection).UpdateLogicalDeviceMeterTable(t.Context(), &update)
			require.NoError(t, err)
		}
	}
}

func TestFlowsAreRecognisedInTheListOfARealCore(t *testing.T) {
	var listed pb.Flows
	for _, exchange := range volthatest.Recorded(t, "provision.jsonl") {
		if exchange.Step == "ListLogicalDeviceFlows after 1 s settled" {
			volthatest.Decode(t, exchange.Response, &listed)
		}
	}
	require.Len(t, listed.Items, 4)
	wanted := recordedFlows(t, "provision.jsonl", "QinQ ADD ")
	assert.True(t, same(listed.Items, wanted), "a real core lists fields in another order than they were sent in")
}

// noLongerThan is more than anything takes by itself between two recorded calls.
const noLongerThan = 3 * time.Second

var anyID = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|id:[0-9]+`)

func withoutIDs(text string) string {
	text, _, _ = strings.Cut(anyID.ReplaceAllString(text, "ID"), "desc = ")
	return text
}

// renamed turns the recorded id of the logical device into the fake's.
func renamed(request []byte, core *volthatest.Core) []byte {
	const nobody = "00000000-0000-0000-0000-000000000000"
	return anyID.ReplaceAllFunc(request, func(id []byte) []byte {
		if string(id) == nobody || !bytes.Contains(id, []byte("-")) {
			return id
		}
		return []byte(core.LogicalID())
	})
}

func messages(call string) (request, answer proto.Message) {
	switch call {
	case "ListLogicalDeviceFlows":
		return &pb.ID{}, &pb.Flows{}
	case "ListLogicalDevicePorts":
		return &pb.ID{}, &pb.LogicalPorts{}
	case "ListLogicalDeviceMeters":
		return &pb.ID{}, &pb.Meters{}
	case "UpdateLogicalDeviceFlowTable":
		return &pb.FlowTableUpdate{}, &pb.Empty{}
	case "UpdateLogicalDeviceMeterTable":
		return &pb.MeterModUpdate{}, &pb.Empty{}
	}
	return nil, nil
}
