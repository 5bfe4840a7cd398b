package voltha

import (
	"fmt"
	"strings"

	"linegate"
	pb "linegate/provisioning/voltha/volthapb"
)

func describeBands(bands []*pb.OfpMeterBandHeader) string {
	words := make([]string, len(bands))
	for i, b := range bands {
		words[i] = fmt.Sprintf("%d kbit/s burst %d kbit", b.Rate, b.BurstSize)
	}
	return strings.Join(words, " + ")
}

// The numbers that stand for ports in a description, where nobody knows the real
// ones; none is a VLAN.
const (
	describedUNI = 1<<24 - 1
	describedNNI = 1 << 24
)

func describeFlows(service *linegate.ONUService, uni string) []string {
	list := flows(service, path{uni: describedUNI, nni: describedNNI})
	names := strings.NewReplacer(fmt.Sprint(describedUNI), uni, fmt.Sprint(describedNNI), "uplink")
	lines := make([]string, len(list))
	for i, flow := range list {
		lines[i] = fmt.Sprintf("flow table %d: %s -> %s", flow.TableId, names.Replace(matchWords(flow.Match)), names.Replace(actionWords(flow)))
	}
	return lines
}

func matchWords(m *pb.OfpMatch) string {
	var words []string
	for _, oxm := range m.GetOxmFields() {
		words = append(words, fieldWords(oxm.GetOfbField()))
	}
	return strings.Join(words, " ")
}

func fieldWords(f *pb.OfpOxmOfbField) string {
	switch f.GetType() {
	case pb.OxmOfbFieldTypes_OFPXMT_OFB_IN_PORT:
		return fmt.Sprintf("from %d", f.GetPort())
	case pb.OxmOfbFieldTypes_OFPXMT_OFB_METADATA:
		return fmt.Sprintf("metadata %d", f.GetTableMetadata())
	}
	switch {
	case f.GetHasMask():
		return "any vlan"
	case f.GetVlanVid() == 0:
		return "untagged"
	}
	return fmt.Sprintf("vlan %d", f.GetVlanVid()&^vidPresent)
}

func actionWords(flow *pb.OfpFlowMod) string {
	var words []string
	for _, instruction := range flow.Instructions {
		for _, action := range instruction.GetActions().GetActions() {
			switch action.Type {
			case pb.OfpActionType_OFPAT_PUSH_VLAN:
				words = append(words, fmt.Sprintf("push vlan %#x", action.GetPush().GetEthertype()))
			case pb.OfpActionType_OFPAT_POP_VLAN:
				words = append(words, "pop vlan")
			case pb.OfpActionType_OFPAT_SET_FIELD:
				words = append(words, "set "+fieldWords(action.GetSetField().GetField().GetOfbField()))
			case pb.OfpActionType_OFPAT_OUTPUT:
				words = append(words, fmt.Sprintf("to %d", action.GetOutput().GetPort()))
			}
		}
		if instruction.GetGotoTable() != nil {
			words = append(words, "table 1")
		}
	}
	return strings.Join(words, ", ")
}

// describeMatch names a flow in an error.
func describeMatch(service *linegate.ONUService, flow *pb.OfpFlowMod) string {
	return fmt.Sprintf("of %s in table %d (%s)", service.ID, flow.TableId, matchWords(flow.Match))
}
