package client

import (
	"net"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

// batchSize is how many datagrams one call to the kernel moves at most.
const batchSize = 32

// message is a datagram of a batch; both families have the same one.
type message = ipv4.Message

// batchConn moves many datagrams with one call where the system can.
type batchConn interface {
	ReadBatch(messages []message, flags int) (int, error)
	WriteBatch(messages []message, flags int) (int, error)
}

// openBatch opens a socket of the network udp4 or udp6, with a port of its own.
func openBatch(network string) (*net.UDPConn, batchConn, error) {
	conn, err := net.ListenUDP(network, nil)
	if err != nil {
		return nil, nil, err
	}
	_ = conn.SetReadBuffer(receiveBuffer) // the kernel may grant less: not worth failing for
	if network == "udp4" {
		return conn, ipv4.NewPacketConn(conn), nil
	}
	return conn, ipv6.NewPacketConn(conn), nil
}

// receiveBuffer holds the answers to a full window, in octets.
const receiveBuffer = 1 << 20
