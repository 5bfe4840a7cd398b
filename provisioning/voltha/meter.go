package voltha

import (
	"hash/fnv"

	"google.golang.org/protobuf/proto"

	"linegate"
	pb "linegate/provisioning/voltha/volthapb"
)

const (
	// meterFlags: rates in kbit/s, with burst sizes, with statistics (OpenFlow 1.3
	// section 7.3.4.3).
	meterFlags = 13
	// maxMeter is the highest id that a meter can have (OFPM_MAX).
	maxMeter = 0xffff0000
)

// bands say a bandwidth as VOLTHA reads it from the bands of a meter: what has no
// burst size is guaranteed, of the others the higher rate is the peak and the
// lower one is committed. One band alone is the peak, and without a burst size it
// is guaranteed as well.
func bands(b linegate.Bandwidth, unlimited uint32) []*pb.OfpMeterBandHeader {
	if b.PIR == 0 {
		b.PIR = max(unlimited, b.CIR, b.GIR)
	}
	switch {
	case b.GIR == b.PIR:
		return []*pb.OfpMeterBandHeader{band(b.GIR, 0)}
	case b.GIR > 0:
		cir := max(b.CIR, b.GIR)
		return []*pb.OfpMeterBandHeader{band(b.GIR, 0), band(cir, burst(cir)), band(b.PIR, burst(b.PIR))}
	case b.CIR > 0:
		return []*pb.OfpMeterBandHeader{band(b.CIR, burst(b.CIR)), band(b.PIR, burst(b.PIR))}
	}
	return []*pb.OfpMeterBandHeader{band(b.PIR, burst(b.PIR))}
}

func band(rate, burst uint32) *pb.OfpMeterBandHeader {
	return &pb.OfpMeterBandHeader{
		Type: pb.OfpMeterBandType_OFPMBT_DROP, Rate: rate, BurstSize: burst,
		Data: &pb.OfpMeterBandHeader_Drop{Drop: &pb.OfpMeterBandDrop{}},
	}
}

// burst is 20 ms at full rate in kbit, and never less than eight full frames.
func burst(rate uint32) uint32 { return max(rate/50, 100) }

// meterID is where the search for the meter of these bands begins. It follows
// from the bands, so that subscribers with one rate share one meter.
func meterID(bands []*pb.OfpMeterBandHeader) uint32 {
	hash := fnv.New32a()
	for _, b := range bands {
		for _, value := range []uint32{b.Rate, b.BurstSize} {
			hash.Write([]byte{byte(value >> 24), byte(value >> 16), byte(value >> 8), byte(value)})
		}
	}
	return hash.Sum32()%maxMeter + 1
}

func sameBands(a, b []*pb.OfpMeterBandHeader) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !proto.Equal(a[i], b[i]) {
			return false
		}
	}
	return true
}
