package wire

// Attribute types, by the RFC that defines them. The dictionary knows many
// more; these are the ones that the packet path itself reads or writes.
const (
	// RFC 2865
	UserName         = 1
	UserPassword     = 2
	CHAPPassword     = 3
	NASIPAddress     = 4
	NASPort          = 5
	ServiceType      = 6
	FramedProtocol   = 7
	FramedIPAddress  = 8
	FilterID         = 11
	ReplyMessage     = 18
	State            = 24
	ClassAttribute   = 25
	VendorSpecific   = 26
	SessionTimeout   = 27
	CalledStationID  = 30
	CallingStationID = 31
	NASIdentifier    = 32
	ProxyState       = 33
	CHAPChallenge    = 60
	NASPortType      = 61

	// RFC 2866
	AcctStatusType     = 40
	AcctDelayTime      = 41
	AcctInputOctets    = 42
	AcctOutputOctets   = 43
	AcctSessionID      = 44
	AcctSessionTime    = 46
	AcctInputPackets   = 47
	AcctOutputPackets  = 48
	AcctTerminateCause = 49

	// RFC 2868, tagged
	TunnelType           = 64
	TunnelMediumType     = 65
	TunnelPrivateGroupID = 81

	// RFC 2869 and RFC 3579
	AcctInputGigawords   = 52
	AcctOutputGigawords  = 53
	EventTimestamp       = 55
	EAPMessage           = 79
	MessageAuthenticator = 80
	AcctInterimInterval  = 85
	NASPortID            = 87
	FramedPool           = 88

	// RFC 5176
	ErrorCause = 101

	// RFC 3162, RFC 4818, RFC 6911
	NASIPv6Address          = 95
	FramedIPv6Prefix        = 97
	FramedIPv6Pool          = 100
	DelegatedIPv6Prefix     = 123
	FramedIPv6Address       = 168
	DelegatedIPv6PrefixPool = 171
	StatefulIPv6AddressPool = 172
)

// Values of Acct-Status-Type (RFC 2866 section 5.1).
const (
	StatusStart         = 1
	StatusStop          = 2
	StatusInterimUpdate = 3
	StatusAccountingOn  = 7
	StatusAccountingOff = 8
)

// Tunnel values for a VLAN (RFC 3580 section 3.31).
const (
	TunnelTypeVLAN      = 13
	TunnelMediumIEEE802 = 6
)

// VendorMicrosoft is the number under which MS-CHAP lives (RFC 2548).
const VendorMicrosoft = 311

// Microsoft attribute types (RFC 2548 section 2).
const (
	MSCHAPResponse  = 1
	MSCHAPError     = 2
	MSMPPEEncPolicy = 7
	MSMPPEEncTypes  = 8
	MSCHAPChallenge = 11
	MSMPPESendKey   = 16
	MSMPPERecvKey   = 17
	MSCHAP2Response = 25
	MSCHAP2Success  = 26
)
