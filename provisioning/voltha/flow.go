package voltha

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"slices"

	"google.golang.org/protobuf/proto"

	"linegate"
	pb "linegate/provisioning/voltha/volthapb"
)

const (
	flowPriority = 1000
	vidPresent   = 0x1000 // OFPVID_PRESENT; the low twelve bits are the VLAN
	// tpidSent is the only one an OLT's adapter bears in push_vlan, for the outer
	// tag too: with 0x88a8 its process dies. What is on the wire is the OLT's setting.
	tpidSent = 0x8100
	anyOut   = 0xffffffff // OFPP_ANY, OFPG_ANY and OFP_NO_BUFFER
)

// Kinds of instructions (OpenFlow 1.3 section 7.2.4).
const (
	gotoTable     = 1
	writeMetadata = 2
	applyActions  = 4
	useMeter      = 6
)

// The bits of a cookie: a mark of ours, 48 that name the service, and the number
// of the flow.
const (
	cookieMark  = uint64('L') << 56
	cookieOwner = uint64(0xff) << 56
	cookieMask  = ^uint64(0xff)
)

// cookiePrefix names the service in all of its flows. By it they are found and
// deleted, whatever they match.
func cookiePrefix(id string) uint64 {
	sum := sha256.Sum256([]byte(id))
	return cookieMark | binary.BigEndian.Uint64(sum[:8])>>8&^0xff
}

// path is what the flows of a service go through.
type path struct {
	uni, nni         uint32
	upMeter, dnMeter uint32
	techProfile      uint16
}

// tagging is what happens to a frame on its way, from the subscriber's side.
type tagging struct {
	atUNI  *pb.OfpOxmField // what the subscriber sends
	inner  *pb.OfpOxmField // what runs between ONU and OLT
	outer  *pb.OfpOxmField // what comes from the network
	atONU  []*pb.OfpAction // upstream in the ONU
	atOLT  []*pb.OfpAction // upstream in the OLT
	offOLT []*pb.OfpAction // downstream in the OLT
	offONU []*pb.OfpAction // downstream in the ONU
	cTag   uint64          // that the OLT looks for beneath the outer one; 0: there is none
}

func taggingOf(s *linegate.ONUService) tagging {
	switch {
	case s.Transparent:
		outer, rest := vlan(s.ServiceVLAN), anyVLAN()
		return tagging{
			atUNI: rest, inner: rest, outer: outer, cTag: vidPresent,
			atOLT: []*pb.OfpAction{push(), set(outer)}, offOLT: []*pb.OfpAction{pop()},
		}
	case s.QinQ:
		outer, inner := vlan(s.ServiceVLAN), vlan(s.InnerVLAN)
		t := atSubscriber(s.CustomerVLAN, inner)
		t.outer, t.cTag = outer, uint64(s.InnerVLAN)
		t.atOLT, t.offOLT = []*pb.OfpAction{push(), set(outer)}, []*pb.OfpAction{pop()}
		return t
	}
	// With a cTag the OLT would look for a second tag that isn't there.
	t := atSubscriber(s.CustomerVLAN, vlan(s.ServiceVLAN))
	t.outer = t.inner
	return t
}

// atSubscriber is the ONU's part: it swaps the customer's tag, or adds one.
func atSubscriber(customer linegate.VLAN, inner *pb.OfpOxmField) tagging {
	if customer == 0 {
		return tagging{
			atUNI: vlanField(0, 0), inner: inner,
			atONU: []*pb.OfpAction{push(), set(inner)}, offONU: []*pb.OfpAction{pop()},
		}
	}
	tag := vlan(customer)
	return tagging{atUNI: tag, inner: inner, atONU: []*pb.OfpAction{set(inner)}, offONU: []*pb.OfpAction{set(tag)}}
}

// flows are the four of a service: table 0 and 1 upstream, then downstream. Table
// 0 upstream and table 1 downstream are the ONU's, the others the OLT's.
func flows(s *linegate.ONUService, p path) []*pb.OfpFlowMod {
	t := taggingOf(s)
	up := metadata(0, p.techProfile, p.nni)
	down := metadata(t.cTag, p.techProfile, p.uni)
	fromNetwork := []*pb.OfpOxmField{port(p.nni)}
	if t.cTag != 0 {
		fromNetwork = append(fromNetwork, tableMetadata(t.cTag))
	}
	built := []*pb.OfpFlowMod{
		{Match: match(port(p.uni), t.atUNI), Instructions: instructions(t.atONU, p.upMeter, up, true)},
		{Match: match(port(p.uni), t.inner), Instructions: instructions(append(t.atOLT, output(p.nni)), p.upMeter, up, false)},
		{Match: match(append(fromNetwork, t.outer)...), Instructions: instructions(t.offOLT, p.dnMeter, down, true)},
		{Match: match(port(p.nni), tableMetadata(uint64(p.uni)), t.inner), Instructions: instructions(append(t.offONU, output(p.uni)), p.dnMeter, down, false)},
	}
	for i, flow := range built {
		flow.Cookie = cookiePrefix(s.ID) | uint64(i+1)
		flow.TableId = uint32(i % 2)
		flow.Priority = flowPriority
		flow.BufferId, flow.OutPort, flow.OutGroup = anyOut, anyOut, anyOut
	}
	return built
}

// metadata carries what the adapters need: the inner tag, the technology profile
// and the port that the frame leaves by.
func metadata(cTag uint64, techProfile uint16, port uint32) uint64 {
	return cTag<<48 | uint64(techProfile)<<32 | uint64(port)
}

// match is never nil: a flow without one brings the core down.
func match(fields ...*pb.OfpOxmField) *pb.OfpMatch {
	return &pb.OfpMatch{Type: pb.OfpMatchType_OFPMT_OXM, OxmFields: fields}
}

func instructions(actions []*pb.OfpAction, meter uint32, data uint64, more bool) []*pb.OfpInstruction {
	var list []*pb.OfpInstruction
	if len(actions) > 0 {
		list = append(list, &pb.OfpInstruction{Type: applyActions, Data: &pb.OfpInstruction_Actions{Actions: &pb.OfpInstructionActions{Actions: actions}}})
	}
	list = append(list,
		&pb.OfpInstruction{Type: useMeter, Data: &pb.OfpInstruction_Meter{Meter: &pb.OfpInstructionMeter{MeterId: meter}}},
		&pb.OfpInstruction{Type: writeMetadata, Data: &pb.OfpInstruction_WriteMetadata{WriteMetadata: &pb.OfpInstructionWriteMetadata{Metadata: data}}})
	if more {
		list = append(list, &pb.OfpInstruction{Type: gotoTable, Data: &pb.OfpInstruction_GotoTable{GotoTable: &pb.OfpInstructionGotoTable{TableId: 1}}})
	}
	return list
}

func field(f *pb.OfpOxmOfbField) *pb.OfpOxmField {
	return &pb.OfpOxmField{OxmClass: pb.OfpOxmClass_OFPXMC_OPENFLOW_BASIC, Field: &pb.OfpOxmField_OfbField{OfbField: f}}
}

func port(number uint32) *pb.OfpOxmField {
	return field(&pb.OfpOxmOfbField{Type: pb.OxmOfbFieldTypes_OFPXMT_OFB_IN_PORT, Value: &pb.OfpOxmOfbField_Port{Port: number}})
}

func tableMetadata(value uint64) *pb.OfpOxmField {
	return field(&pb.OfpOxmOfbField{Type: pb.OxmOfbFieldTypes_OFPXMT_OFB_METADATA, Value: &pb.OfpOxmOfbField_TableMetadata{TableMetadata: value}})
}

func vlan(id linegate.VLAN) *pb.OfpOxmField { return vlanField(vidPresent|uint32(id), 0) }
func anyVLAN() *pb.OfpOxmField              { return vlanField(vidPresent, vidPresent) }

func vlanField(vid, mask uint32) *pb.OfpOxmField {
	f := &pb.OfpOxmOfbField{Type: pb.OxmOfbFieldTypes_OFPXMT_OFB_VLAN_VID, Value: &pb.OfpOxmOfbField_VlanVid{VlanVid: vid}}
	if mask != 0 {
		f.HasMask, f.Mask = true, &pb.OfpOxmOfbField_VlanVidMask{VlanVidMask: mask}
	}
	return field(f)
}

func push() *pb.OfpAction {
	return &pb.OfpAction{Type: pb.OfpActionType_OFPAT_PUSH_VLAN, Action: &pb.OfpAction_Push{Push: &pb.OfpActionPush{Ethertype: tpidSent}}}
}

func pop() *pb.OfpAction { return &pb.OfpAction{Type: pb.OfpActionType_OFPAT_POP_VLAN} }

func set(tag *pb.OfpOxmField) *pb.OfpAction {
	return &pb.OfpAction{Type: pb.OfpActionType_OFPAT_SET_FIELD, Action: &pb.OfpAction_SetField{SetField: &pb.OfpActionSetField{Field: tag}}}
}

func output(port uint32) *pb.OfpAction {
	return &pb.OfpAction{Type: pb.OfpActionType_OFPAT_OUTPUT, Action: &pb.OfpAction_Output{Output: &pb.OfpActionOutput{Port: port}}}
}

// sameMatch compares what the core takes for a flow's identity: table, priority
// and match, but neither cookie nor instructions.
func sameMatch(listed *pb.OfpFlowStats, wanted *pb.OfpFlowMod) bool {
	return listed.TableId == wanted.TableId && listed.Priority == wanted.Priority &&
		proto.Equal(sorted(listed.Match), sorted(wanted.Match))
}

// sameFlow compares the rest as well.
func sameFlow(listed *pb.OfpFlowStats, wanted *pb.OfpFlowMod) bool {
	return listed.Cookie == wanted.Cookie && sameMatch(listed, wanted) &&
		slices.EqualFunc(byType(listed.Instructions), byType(wanted.Instructions), func(a, b *pb.OfpInstruction) bool { return proto.Equal(a, b) })
}

// sorted returns the match in the order that the core lists its fields in.
func sorted(m *pb.OfpMatch) *pb.OfpMatch {
	fields := slices.SortedFunc(slices.Values(m.GetOxmFields()), func(a, b *pb.OfpOxmField) int {
		return cmp.Compare(a.GetOfbField().GetType(), b.GetOfbField().GetType())
	})
	return &pb.OfpMatch{Type: m.GetType(), OxmFields: fields}
}

func byType(list []*pb.OfpInstruction) []*pb.OfpInstruction {
	return slices.SortedFunc(slices.Values(list), func(a, b *pb.OfpInstruction) int { return cmp.Compare(a.Type, b.Type) })
}
