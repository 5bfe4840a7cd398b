//go:build !linux

package radiusd

import (
	"net"
	"net/netip"

	"linegate/radiusd/wire"
)

// mail moves the datagrams of one socket one by one, where no system call moves
// many. It belongs to the socket's loop. What it hands out is valid until the next
// receive; an answer that is put leaves with the next flush.
type mail struct {
	conn     *net.UDPConn
	datagram [wire.MaxPacketSize + 1]byte
	size     int
	from     netip.AddrPort
	answer   [wire.MaxPacketSize]byte
	length   int
	to       addressee
}

// addressee is who an answer goes to.
type addressee struct {
	peer   peer
	client *Client
}

func newMail(conn *net.UDPConn) (*mail, error) { return &mail{conn: conn}, nil }

// receive waits for a datagram. It returns os.ErrDeadlineExceeded after the
// socket's read deadline.
func (m *mail) receive() (count int, err error) {
	n, _, _, from, err := m.conn.ReadMsgUDPAddrPort(m.datagram[:], nil)
	if err != nil {
		return 0, err
	}
	m.size, m.from = n, netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
	return 1, nil
}

// letter returns the datagram of the last receive and who sent it.
func (m *mail) letter(int) (datagram []byte, from peer, lost uint32) {
	return m.datagram[:m.size], peer{address: m.from}, 0
}

// space is where the answer can be written before it is put.
func (m *mail) space() []byte { return m.answer[:0] }

// put queues the answer to the last receive, and returns where it waits: until the
// flush it may still change.
func (m *mail) put(answer []byte, to addressee) (queued []byte) {
	m.length, m.to = copy(m.answer[:], answer), to
	return m.answer[:m.length]
}

// flush sends what was put. failed is told when the network refused it.
func (m *mail) flush(failed func(addressee, error)) {
	if m.length == 0 {
		return
	}
	if _, err := m.conn.WriteToUDPAddrPort(m.answer[:m.length], m.to.peer.address); err != nil {
		failed(m.to, err)
	}
	m.length = 0
}
