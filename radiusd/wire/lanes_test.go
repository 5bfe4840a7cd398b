package wire

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func request(code Code, identifier byte, size int) []byte {
	packet := AppendMessageAuthenticator(AppendHeader(nil, code, identifier, [AuthenticatorSize]byte{identifier, 1, 2, 3}))
	for len(packet)+3 <= size {
		packet = AppendAttribute(packet, UserName, []byte(strings.Repeat("x", min(size-len(packet)-2, MaxValueSize))))
	}
	return packet
}

func TestLanesFindWhatTheSignerFinds(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var lanes Lanes
	for count := range 33 {
		var checks []Check
		for range count {
			signer := NewSigner(strings.Repeat("s", 1+random.IntN(255)))
			code := []Code{AccessRequest, AccessRequest, AccessRequest, AccountingRequest, StatusServer}[random.IntN(5)]
			packet := request(code, byte(random.Uint32()), HeaderSize+18+random.IntN(700))
			if code == AccountingRequest {
				require.NoError(t, signer.SignAccounting(packet))
			} else {
				require.NoError(t, signer.SignRequest(packet))
			}
			switch random.IntN(6) {
			case 0: // forged
				packet[len(packet)-1] ^= 1
			case 1: // without a Message-Authenticator
				packet[HeaderSize] = byte(UserName)
			case 2: // with two
				packet = AppendMessageAuthenticator(packet)
				require.NoError(t, SetLength(packet))
			}
			parsed, err := Parse(packet)
			require.NoError(t, err)
			checks = append(checks, Check{Signer: signer, Packet: parsed})
		}
		lanes.Verify(checks)
		for _, c := range checks {
			signed, err := c.Signer.VerifyRequest(c.Packet)
			assert.Equal(t, signed, c.Signed)
			assert.Equal(t, err, c.Err)
		}
	}
}

func TestLanesSignAsTheSignerDoes(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	var lanes Lanes
	for count := range 33 {
		var replies []Unsigned
		var want [][]byte
		for range count {
			signer := NewSigner(strings.Repeat("s", 1+random.IntN(255)))
			asked := [AuthenticatorSize]byte{byte(random.Uint32()), byte(random.Uint32())}
			packet := request(AccessAccept, byte(random.Uint32()), HeaderSize+18+random.IntN(700))
			if random.IntN(4) == 0 { // an Accounting-Response has no Message-Authenticator
				packet = packet[:HeaderSize]
			}
			require.NoError(t, SetLength(packet))
			signed := append([]byte(nil), packet...)
			require.NoError(t, signer.SignReply(signed, asked))
			replies, want = append(replies, Unsigned{signer, packet, asked}), append(want, signed)
		}
		lanes.SignReplies(replies)
		for i := range replies {
			assert.Equal(t, want[i], replies[i].Packet)
		}
	}
}

func BenchmarkSignReply(b *testing.B) {
	signer, packet := NewSigner("testing123"), request(AccessAccept, 1, 140)
	for b.Loop() {
		if err := signer.SignReply(packet, [AuthenticatorSize]byte{1}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLanesSignEight(b *testing.B) {
	var lanes Lanes
	replies := make([]Unsigned, laneCount)
	for i := range replies {
		packet := request(AccessAccept, byte(i), 140)
		if err := SetLength(packet); err != nil {
			b.Fatal(err)
		}
		replies[i] = Unsigned{NewSigner("testing123"), packet, [AuthenticatorSize]byte{1}}
	}
	b.ReportAllocs()
	for b.Loop() {
		lanes.SignReplies(replies)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(replies)), "ns/reply")
}
