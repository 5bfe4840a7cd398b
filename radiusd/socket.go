package radiusd

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"

	"linegate/radiusd/wire"
	"linegate/telemetry"
)

// Port is what a socket is for: each kind of request has its own (RFC 2865
// section 3, RFC 2866 section 3).
type Port string

const (
	AuthPort Port = "auth"
	AcctPort Port = "acct"
)

// socket is one UDP socket with its own loop, buffers and reply cache. Several
// may share an address (SO_REUSEPORT): the kernel then sends every source
// address and port to the same one, so that nothing needs sharing.
type socket struct {
	server  *Server
	port    Port
	conn    *net.UDPConn
	replies *replyCache

	// Used by the loop alone.
	mail     *mail
	opened   []exchange // the requests of the batch, each with its check
	checks   []wire.Check
	unsigned []wire.Unsigned // the answers to them, each with its ticket
	tickets  []ticket
	lanes    wire.Lanes
	scratch  Scratch
	failed   func(addressee, error)
	lost     uint32 // packets that the kernel dropped, as last told
}

// listen opens a socket. address is host:port; an empty host means all addresses
// of both families.
func (s *Server) listen(ctx context.Context, port Port, address string) (*socket, error) {
	conn, err := openSocket(ctx, address, true)
	if err != nil {
		return nil, fmt.Errorf("listen for %s: %w", port, err)
	}
	_ = conn.SetReadBuffer(s.options.ReadBuffer) // the kernel may grant less: not worth failing for
	mail, err := newMail(conn)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("listen for %s: %w", port, err), conn.Close())
	}
	opened := &socket{
		server: s, port: port, conn: conn, mail: mail,
		replies: newReplyCache(s.options.ReplyCacheEntries, s.options.ReplyCacheTTL),
	}
	opened.failed = opened.unsent
	return opened, nil
}

func openSocket(ctx context.Context, address string, shared bool) (*net.UDPConn, error) {
	ip := listenIP(address)
	manyAddresses := !ip.IsValid() || ip.IsUnspecified()
	config := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error { return prepareSocket(raw, shared, manyAddresses) }}
	conn, err := config.ListenPacket(ctx, network(address), address)
	if err != nil {
		return nil, err
	}
	return conn.(*net.UDPConn), nil
}

// ListenAlone opens a socket that no other shares, for who reads it by himself.
// ReadControl reads the control messages of its packets.
func ListenAlone(ctx context.Context, address string) (*net.UDPConn, error) {
	return openSocket(ctx, address, false)
}

// ReadControl reads what the kernel tells with a packet. reply, made in place, makes
// its answer leave from the address that was asked; lost is how many packets the
// socket had no room for since it was opened.
func ReadControl(control []byte) (reply []byte, lost uint32) { return readControl(control) }

// peer is where a packet came from, and by which of our addresses: the answer
// has to leave from that one.
type peer struct {
	address netip.AddrPort
	control []byte // names our address, in the kernel's own form; empty: the socket has just one
	letter  int    // of the mail that it came with
}

// controlSize holds the control messages of both families and the count of lost
// packets.
const controlSize = 128

// loop reads and handles packets, a batch at a time, until the socket's read
// deadline passes.
func (s *socket) loop() error {
	for {
		count, err := s.mail.receive()
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, net.ErrClosed):
			return nil
		case err != nil:
			// A passing shortage, or an error about an earlier answer: the next packet
			// has nothing to do with it. The pause keeps a lasting error from spinning.
			time.Sleep(time.Millisecond)
			s.server.drop(telemetry.DropReceiveFailed, peer{}, nil, err)
			continue
		}
		now := time.Now()
		for number := range count {
			datagram, from, lost := s.mail.letter(number)
			s.countLost(lost)
			s.open(datagram, from, now)
		}
		s.handle()
		s.flush(now)
	}
}

// unsent counts an answer that the network refused.
func (s *socket) unsent(to addressee, err error) {
	s.server.drop(telemetry.DropSendFailed, to.peer, to.client, err)
}

// countLost counts the packets that the kernel had to drop since the last one.
func (s *socket) countLost(lost uint32) {
	if lost > s.lost {
		s.server.metrics.DropMany(telemetry.DropSocketFull, uint64(lost-s.lost))
		s.lost = lost
	}
}

// send puts an answer on the wire by itself, for those that come too late for the
// loop's mail.
func (s *socket) send(reply []byte, to peer) error {
	if _, _, err := s.conn.WriteMsgUDPAddrPort(reply, to.control, to.address); err != nil {
		return fmt.Errorf("answer to %s: %w", to.address, err)
	}
	return nil
}
