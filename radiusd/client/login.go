package client

import (
	"fmt"
	"slices"
	"strings"

	"layeh.com/radius/rfc2759"

	"linegate"
	"linegate/radiusd/wire"
)

// Method is how a login proves its password.
type Method string

const (
	MethodNone     Method = "none" // no proof: the line has to do
	MethodPAP      Method = "pap"
	MethodCHAP     Method = "chap"
	MethodMSCHAPv2 Method = "mschapv2"
)

// Methods returns all methods.
func Methods() []Method { return []Method{MethodPAP, MethodCHAP, MethodMSCHAPv2, MethodNone} }

// ParseMethod reads a method's name.
func ParseMethod(text string) (Method, error) {
	if slices.Contains(Methods(), Method(text)) {
		return Method(text), nil
	}
	names := make([]string, 0, len(Methods()))
	for _, method := range Methods() {
		names = append(names, string(method))
	}
	return "", fmt.Errorf("method %q is not allowed: %s", text, strings.Join(names, ", "))
}

// Login is what a subscriber who wants to get in says.
type Login struct {
	UserName   string // empty: no User-Name is sent
	Password   string // up to 128 octets
	Method     Method
	Attributes []byte // what else the request holds, framed
}

// challengeSize is the size of the challenges we make, in octets; MS-CHAPv2 has
// no other (RFC 2759 section 4).
const challengeSize = 16

// appendProof appends the proof of the password. success is what the server must
// prove in turn; nil where the method does not ask that.
func (b *Builder) appendProof(packet []byte, login *Login) (proven, success []byte, err error) {
	switch login.Method {
	case MethodPAP:
		authenticator := [wire.AuthenticatorSize]byte(packet[4:wire.HeaderSize])
		var space [128]byte
		return wire.AppendAttribute(packet, wire.UserPassword, b.Signer.HidePassword(space[:0], login.Password, authenticator)), nil, nil
	case MethodCHAP:
		packet, err = b.appendCHAP(packet, login)
		return packet, nil, err
	case MethodMSCHAPv2:
		return b.appendMSCHAPv2(packet, login)
	}
	return packet, nil, nil
}

// appendCHAP appends challenge and response (RFC 2865 sections 5.3 and 5.40).
func (b *Builder) appendCHAP(packet []byte, login *Login) ([]byte, error) {
	var value [1 + challengeSize]byte
	packet = wire.AppendAttribute(packet, wire.CHAPChallenge, value[:challengeSize])
	challenge := packet[len(packet)-challengeSize:]
	if err := b.fill(challenge); err != nil {
		return nil, err
	}
	value[0] = challenge[0] // the identifier is the peer's to choose
	response := linegate.CHAPResponse(value[0], login.Password, challenge)
	copy(value[1:], response[:])
	return wire.AppendAttribute(packet, wire.CHAPPassword, value[:]), nil
}

// appendMSCHAPv2 appends challenge and response (RFC 2548 section 2.3.2):
// identifier, flags, the peer's challenge, eight reserved octets, the NT response.
func (b *Builder) appendMSCHAPv2(packet []byte, login *Login) (proven, success []byte, err error) {
	var challenges [2 * challengeSize]byte
	if err := b.fill(challenges[:]); err != nil {
		return nil, nil, err
	}
	challenge, peer := challenges[:challengeSize], challenges[challengeSize:]
	name, password := []byte(login.UserName), []byte(login.Password)
	response, err := rfc2759.GenerateNTResponse(challenge, peer, name, password)
	if err != nil {
		return nil, nil, fmt.Errorf("MS-CHAPv2: response: %w", err)
	}
	proof, err := rfc2759.GenerateAuthenticatorResponse(challenge, peer, response, name, password)
	if err != nil {
		return nil, nil, fmt.Errorf("MS-CHAPv2: success: %w", err)
	}
	value := append([]byte{packet[1], 0}, peer...)
	value = append(value, make([]byte, 8)...)
	value = append(value, response...)
	packet = wire.AppendVendorAttribute(packet, wire.VendorMicrosoft, wire.MSCHAPChallenge, challenge)
	return wire.AppendVendorAttribute(packet, wire.VendorMicrosoft, wire.MSCHAP2Response, value), []byte(proof), nil
}
