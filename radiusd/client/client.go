// Package client is the asking side of RADIUS, for the tools: it builds requests,
// sends one and waits for its answer, or sends as many as a server can take. It
// believes no answer whose authenticators are wrong, prints nothing, and takes no
// part in the daemon.
package client

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"linegate/radiusd/wire"
)

// Why there is no answer to go by.
var (
	// ErrNoAnswer: nothing came before the last try's time was up.
	ErrNoAnswer = errors.New("no answer")
	// ErrInvalid: what came can't be an answer to the request, or does not prove
	// that its sender knows the secret or the password.
	ErrInvalid = errors.New("invalid answer")
)

// Server is one RADIUS port of a server. It can be shared.
type Server struct {
	Address string // host:port
	Signer  *wire.Signer
	Timeout time.Duration // of one try
	Tries   int           // at least 1; the same octets each time (RFC 5080 section 2.2.1)
}

// Answer is an authentic answer to a request.
type Answer struct {
	Packet wire.Packet
	// MessageAuthenticator tells that the answer had one; that it is right has
	// been verified. An Access-Accept without can be forged (CVE-2024-3596).
	MessageAuthenticator bool
	RoundTrip            time.Duration // since the latest try
	Tries                int
}

// Exchange sends a request and returns the first authentic answer. Octets that
// are none are discarded (RFC 2865 section 3), and named in the error when
// nothing better comes. Errors are ErrNoAnswer and ErrInvalid, or the network's.
func (s *Server) Exchange(ctx context.Context, request Request) (Answer, error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "udp", s.Address)
	if err != nil {
		return Answer{}, err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()

	refused := ErrNoAnswer
	for try := 1; try <= s.Tries && ctx.Err() == nil; try++ {
		answer, err := s.try(conn, request)
		if err == nil {
			answer.Tries = try
			return answer, nil
		}
		if !errors.Is(err, ErrNoAnswer) {
			refused = err
		}
	}
	if err := ctx.Err(); err != nil {
		return Answer{}, err
	}
	return Answer{}, fmt.Errorf("%s: %w", s.Address, refused)
}

// try sends the request once and reads until its time is up.
func (s *Server) try(conn net.Conn, request Request) (Answer, error) {
	sentAt := time.Now()
	if err := conn.SetReadDeadline(sentAt.Add(s.Timeout)); err != nil {
		return Answer{}, err
	}
	if _, err := conn.Write(request.octets); err != nil {
		return Answer{}, err
	}
	refused := ErrNoAnswer
	buffer := make([]byte, wire.MaxPacketSize)
	for {
		n, err := conn.Read(buffer)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return Answer{}, refused
		}
		if err != nil {
			return Answer{}, err
		}
		packet, ma, err := request.verify(buffer[:n], s.Signer)
		if err == nil {
			return Answer{Packet: packet, MessageAuthenticator: ma, RoundTrip: time.Since(sentAt)}, nil
		}
		refused = fmt.Errorf("%w: %w", ErrInvalid, err)
	}
}
