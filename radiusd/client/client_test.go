package client

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"net"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"layeh.com/radius"
	"layeh.com/radius/rfc2865"
	"layeh.com/radius/rfc2866"

	"linegate/radiusd/wire"
)

const secret = "testing123"

// builder makes requests that nobody can foretell.
func builder() *Builder { return &Builder{Signer: wire.NewSigner(secret), Random: rand.Reader} }

// respond answers every datagram that comes to the returned address with what
// answer makes of it, nothing where that is nil.
func respond(t testing.TB, answer func(request []byte) []byte) string {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		buffer := make([]byte, wire.MaxPacketSize)
		for {
			n, from, err := conn.ReadFrom(buffer)
			if err != nil {
				return
			}
			if reply := answer(buffer[:n]); reply != nil {
				_, _ = conn.WriteTo(reply, from)
			}
		}
	}()
	t.Cleanup(func() {
		conn.Close()
		<-done
	})
	return conn.LocalAddr().String()
}

// reply is a signed answer to a request.
func reply(request []byte, code wire.Code, attributes ...byte) []byte {
	octets := wire.AppendHeader(nil, code, request[1], [16]byte{})
	octets = append(wire.AppendMessageAuthenticator(octets), attributes...)
	if err := wire.NewSigner(secret).SignReply(octets, [16]byte(request[4:20])); err != nil {
		panic(err)
	}
	return octets
}

func server(address string) *Server {
	return &Server{Address: address, Signer: wire.NewSigner(secret), Timeout: 5 * time.Second, Tries: 2}
}

func TestAnotherImplementationReadsEachMethod(t *testing.T) {
	shared := []byte(secret)
	for method, check := range map[Method]func(t *testing.T, packet *radius.Packet){
		MethodPAP: func(t *testing.T, packet *radius.Packet) {
			assert.Equal(t, "secretpw", rfc2865.UserPassword_GetString(packet))
		},
		MethodCHAP: func(t *testing.T, packet *radius.Packet) {
			assert.Len(t, rfc2865.CHAPPassword_Get(packet), 17)
			assert.Len(t, rfc2865.CHAPChallenge_Get(packet), 16)
			assert.Nil(t, rfc2865.UserPassword_Get(packet))
		},
		MethodNone: func(t *testing.T, packet *radius.Packet) {
			assert.Nil(t, rfc2865.UserPassword_Get(packet))
			assert.Nil(t, rfc2865.CHAPPassword_Get(packet))
		},
	} {
		t.Run(string(method), func(t *testing.T) {
			login := &Login{UserName: "alice", Password: "secretpw", Method: method,
				Attributes: wire.AppendText(nil, wire.NASIdentifier, "tester")}
			request, err := builder().Access(nil, 7, login)
			require.NoError(t, err)
			packet, err := radius.Parse(request.octets, shared)
			require.NoError(t, err)
			assert.Equal(t, radius.CodeAccessRequest, packet.Code)
			assert.Equal(t, byte(7), packet.Identifier)
			assert.Equal(t, "alice", rfc2865.UserName_GetString(packet))
			assert.Equal(t, "tester", rfc2865.NASIdentifier_GetString(packet))
			check(t, packet)

			own, err := wire.Parse(request.octets)
			require.NoError(t, err)
			present, err := wire.NewSigner(secret).VerifyRequest(own)
			assert.NoError(t, err)
			assert.True(t, present)
			assert.Equal(t, byte(wire.MessageAuthenticator), request.octets[20], "it comes first")
		})
	}
	request, err := builder().Accounting(nil, 8, wire.AppendInteger(nil, wire.AcctStatusType, wire.StatusStart))
	require.NoError(t, err)
	packet, err := radius.Parse(request.octets, shared)
	require.NoError(t, err)
	assert.Equal(t, rfc2866.AcctStatusType_Value_Start, rfc2866.AcctStatusType_Get(packet))
	assert.True(t, radius.IsAuthenticRequest(request.octets, shared))
}

func TestARequestWithoutANameHasNoUserName(t *testing.T) {
	request, err := builder().Access(nil, 7, &Login{Method: MethodNone})
	require.NoError(t, err)
	packet, err := wire.Parse(request.octets)
	require.NoError(t, err)
	assert.Nil(t, packet.Find(wire.UserName))
}

func TestExchangeReturnsAnAuthenticAnswer(t *testing.T) {
	for name, test := range map[string]struct {
		build func() (Request, error)
		code  wire.Code
	}{
		"to an Access-Request":             {func() (Request, error) { return builder().Access(nil, 1, &Login{UserName: "a"}) }, wire.AccessAccept},
		"to an Accounting-Request":         {func() (Request, error) { return builder().Accounting(nil, 1, nil) }, wire.AccountingResponse},
		"to a Status-Server":               {func() (Request, error) { return builder().Status(nil, 1, nil) }, wire.AccessAccept},
		"to a Status-Server, as acct does": {func() (Request, error) { return builder().Status(nil, 1, nil) }, wire.AccountingResponse},
	} {
		t.Run(name, func(t *testing.T) {
			request, err := test.build()
			require.NoError(t, err)
			address := respond(t, func(request []byte) []byte { return reply(request, test.code) })
			answer, err := server(address).Exchange(t.Context(), request)
			require.NoError(t, err)
			assert.Equal(t, test.code, answer.Packet.Code())
			assert.True(t, answer.MessageAuthenticator)
			assert.Equal(t, 1, answer.Tries)
			assert.Positive(t, answer.RoundTrip)
		})
	}
}

func TestExchangeSendsTheSameOctetsAgain(t *testing.T) {
	request, err := builder().Access(nil, 1, &Login{UserName: "a"})
	require.NoError(t, err)
	seen := make(chan []byte, 30)
	address := respond(t, func(octets []byte) []byte {
		if seen <- bytes.Clone(octets); len(seen) < 3 {
			return nil
		}
		return reply(octets, wire.AccessReject)
	})
	answer, err := (&Server{Address: address, Signer: wire.NewSigner(secret), Timeout: 50 * time.Millisecond, Tries: 30}).Exchange(t.Context(), request)
	require.NoError(t, err)
	assert.GreaterOrEqual(t, answer.Tries, 3)
	for range 3 {
		assert.Equal(t, request.octets, <-seen)
	}
}

func TestExchangeBelievesNoForgery(t *testing.T) {
	const seconds = time.Second
	for name, test := range map[string]struct {
		answer func(request []byte) []byte
		want   string
	}{
		"another secret": {func(request []byte) []byte {
			forged := wire.AppendHeader(nil, wire.AccessAccept, request[1], [16]byte{})
			if err := wire.NewSigner("other").SignReply(forged, [16]byte(request[4:20])); err != nil {
				panic(err)
			}
			return forged
		}, wire.ErrAuthenticator.Error()},
		"another identifier":        {func(request []byte) []byte { request[1]++; return reply(request, wire.AccessAccept) }, errIdentifier.Error()},
		"an answer of another kind": {func(request []byte) []byte { return reply(request, wire.AccountingResponse) }, "Accounting-Response is no answer to such a request"},
		"no packet at all":          {func([]byte) []byte { return []byte("hello") }, wire.ErrShort.Error()},
	} {
		t.Run(name, func(t *testing.T) {
			request, err := builder().Access(nil, 1, &Login{UserName: "a"})
			require.NoError(t, err)
			patient := server(respond(t, test.answer))
			patient.Timeout, patient.Tries = seconds/10, 2
			_, err = patient.Exchange(t.Context(), request)
			require.ErrorIs(t, err, ErrInvalid)
			assert.ErrorContains(t, err, test.want)
		})
	}
}

func TestExchangeTakesTheRightAnswerBehindAForgery(t *testing.T) {
	var count int
	address := respond(t, func(request []byte) []byte {
		if count++; count == 1 {
			return []byte("hello")
		}
		return reply(request, wire.AccessAccept)
	})
	request, err := builder().Access(nil, 1, &Login{UserName: "a"})
	require.NoError(t, err)
	patient := server(address)
	patient.Timeout, patient.Tries = 100*time.Millisecond, 20
	_, err = patient.Exchange(t.Context(), request)
	assert.NoError(t, err)
}

func TestExchangeSaysWhenNothingComes(t *testing.T) {
	request, err := builder().Access(nil, 1, &Login{UserName: "a"})
	require.NoError(t, err)
	silent := server(respond(t, func([]byte) []byte { return nil }))
	silent.Timeout = 30 * time.Millisecond
	_, err = silent.Exchange(t.Context(), request)
	assert.EqualError(t, err, silent.Address+": no answer")
	assert.ErrorIs(t, err, ErrNoAnswer)

	_, err = server("nowhere").Exchange(t.Context(), request)
	assert.ErrorContains(t, err, "missing port")

	ctx, cancel := context.WithCancel(t.Context())
	waiting := server(respond(t, func([]byte) []byte { cancel(); return nil }))
	waiting.Timeout = time.Hour
	_, err = waiting.Exchange(ctx, request)
	assert.ErrorIs(t, err, context.Canceled, "nobody has to wait for an answer")
}

func TestMSCHAPv2ProvesBothSides(t *testing.T) {
	request, err := builder().Access(nil, 9, &Login{UserName: "alice", Password: "secretpw", Method: MethodMSCHAPv2})
	require.NoError(t, err)
	require.Len(t, request.success, len("S=")+40)
	success := func(proof string) []byte {
		return wire.AppendVendorAttribute(nil, wire.VendorMicrosoft, wire.MSCHAP2Success, append([]byte{9}, proof...))
	}
	for name, test := range map[string]struct {
		code       wire.Code
		attributes []byte
		want       error
	}{
		"the right proof":                {wire.AccessAccept, success(string(request.success)), nil},
		"the right proof, and a word":    {wire.AccessAccept, success(string(request.success) + " M=welcome"), nil},
		"the wrong proof":                {wire.AccessAccept, success("S=0000000000000000000000000000000000000000"), errSuccess},
		"no proof":                       {wire.AccessAccept, nil, errSuccess},
		"proof in another vendor's":      {wire.AccessAccept, wire.AppendVendorAttribute(nil, 9, wire.MSCHAP2Success, request.success), errSuccess},
		"a reject, which proves nothing": {wire.AccessReject, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			_, ma, err := request.verify(reply(request.octets, test.code, test.attributes...), wire.NewSigner(secret))
			assert.ErrorIs(t, err, test.want)
			assert.Equal(t, test.want == nil, ma)
		})
	}
}

func TestMethodsAreReadByName(t *testing.T) {
	for _, method := range Methods() {
		parsed, err := ParseMethod(string(method))
		assert.NoError(t, err)
		assert.Equal(t, method, parsed)
	}
	_, err := ParseMethod("eap")
	assert.EqualError(t, err, `method "eap" is not allowed: pap, chap, mschapv2, none`)
}

func TestRequestsFailWithoutRandomness(t *testing.T) {
	dry := &Builder{Signer: wire.NewSigner(secret), Random: iotest.ErrReader(errors.New("dry"))}
	_, err := dry.Access(nil, 1, &Login{UserName: "a"})
	assert.EqualError(t, err, "random octets: dry")
	_, err = dry.Status(nil, 1, nil)
	assert.EqualError(t, err, "random octets: dry")

	for _, method := range []Method{MethodCHAP, MethodMSCHAPv2} {
		nearlyDry := &Builder{Signer: wire.NewSigner(secret), Random: iotest.TimeoutReader(rand.Reader)}
		_, err = nearlyDry.Access(nil, 1, &Login{UserName: "a", Method: method})
		assert.ErrorIs(t, err, iotest.ErrTimeout)
	}
}

func FuzzVerify(f *testing.F) {
	signer := wire.NewSigner(secret)
	request, err := builder().Access(nil, 9, &Login{UserName: "alice", Password: "secretpw", Method: MethodMSCHAPv2})
	require.NoError(f, err)
	f.Add(reply(request.octets, wire.AccessAccept))
	f.Add(wire.AppendVendorAttribute(nil, wire.VendorMicrosoft, wire.MSCHAP2Success, nil))
	f.Fuzz(func(t *testing.T, attributes []byte) {
		_, _, err := request.verify(attributes, signer)
		require.Error(t, err, "nothing that is made up is believed")
		forged := wire.AppendHeader(nil, wire.AccessAccept, 9, [16]byte{})
		forged = append(forged, attributes...)
		if signer.SignReply(forged, request.authenticator()) == nil {
			_, _, err = request.verify(forged, signer)
			require.Error(t, err, "a server that does not know the password is not believed")
		}
	})
}
