package linegate

// Method is how a request proves who is asking.
type Method string

const (
	MethodNone     Method = "none" // IPoE, or nothing we know
	MethodPAP      Method = "pap"
	MethodCHAP     Method = "chap"
	MethodMSCHAPv1 Method = "mschapv1"
	MethodMSCHAPv2 Method = "mschapv2"
	MethodEAP      Method = "eap" // answered with a reject: broadband lines don't use it
)

// Proof is what the NAS passed on of the subscriber's password. Slices belong
// to the packet.
type Proof struct {
	Method    Method
	Password  []byte // PAP: in clear, as unhidden
	ID        byte   // CHAP and MS-CHAP identifier
	Challenge []byte // CHAP: 1 to 253 octets; MS-CHAPv1: 8; MS-CHAPv2: 16
	Response  []byte // CHAP: 16 octets; MS-CHAP: the NT response, 24
	// PeerChallenge is MS-CHAPv2's, 16 octets (RFC 2759).
	PeerChallenge []byte
}

// Request is an Access-Request, read. Slices point into the packet and live as
// long as its buffer; nil means the packet has no such attribute.
type Request struct {
	NAS              *NAS
	UserName         []byte
	CallingStationID []byte
	NASPortID        []byte
	Line             AccessLine
	Proof            Proof
}

// MAC returns the hardware address the request names: Calling-Station-Id, else
// a User-Name that is one.
func (r *Request) MAC() (MAC, bool) {
	if mac, ok := ParseMAC(r.CallingStationID); ok {
		return mac, true
	}
	return ParseMAC(r.UserName)
}
