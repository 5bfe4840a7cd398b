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

// dialBatch opens a socket to a server.
func dialBatch(address string) (*net.UDPConn, batchConn, error) {
	server, err := net.ResolveUDPAddr("udp", address)
	if err != nil {
		return nil, nil, err
	}
	conn, err := net.DialUDP("udp", nil, server)
	if err != nil {
		return nil, nil, err
	}
	if server.IP.To4() != nil {
		return conn, ipv4.NewPacketConn(conn), nil
	}
	return conn, ipv6.NewPacketConn(conn), nil
}
