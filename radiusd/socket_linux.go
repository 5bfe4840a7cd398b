package radiusd

import (
	"encoding/binary"
	"syscall"

	"golang.org/x/sys/unix"
)

// sharesAddress says whether several sockets can listen on one address, each
// with a share of the clients.
const sharesAddress = true

// prepareSocket makes the kernel tell with each packet how many it dropped and, where the
// socket may have many addresses, to which of them it was sent. shared lets several
// sockets share an address.
func prepareSocket(raw syscall.RawConn, shared, manyAddresses bool) error {
	var failed error
	err := raw.Control(func(fd uintptr) {
		if shared {
			failed = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
		}
		_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RXQ_OVFL, 1)
		if manyAddresses { // one of the two does not apply to the socket's family
			_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_PKTINFO, 1)
			_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1)
		}
	})
	if err != nil {
		return err
	}
	return failed
}

// readControl reads what the kernel tells with a packet. reply is a control
// message, made in place, that sends from the address the packet was sent to: the
// kernel uses the same structure both ways (ip(7), ipv6(7)). The interface is left
// to routing, except for link-local addresses. lost is how many packets the socket
// had no room for since it was opened (SO_RXQ_OVFL, socket(7)); 0: none, or not told.
func readControl(control []byte) (reply []byte, lost uint32) {
	for len(control) >= unix.SizeofCmsghdr {
		header, data, rest, err := unix.ParseOneSocketControlMessage(control)
		if err != nil {
			break
		}
		message := control[:len(control)-len(rest)]
		control = rest
		switch {
		case header.Level == unix.SOL_SOCKET && header.Type == unix.SO_RXQ_OVFL && len(data) >= 4:
			lost = binary.NativeEndian.Uint32(data)
		case header.Level == unix.IPPROTO_IP && header.Type == unix.IP_PKTINFO && len(data) >= unix.SizeofInet4Pktinfo && reply == nil:
			clear(data[:4]) // ipi_ifindex; ipi_spec_dst, the address to send from, follows
			reply = message
		case header.Level == unix.IPPROTO_IPV6 && header.Type == unix.IPV6_PKTINFO && len(data) >= unix.SizeofInet6Pktinfo && reply == nil:
			if linkLocal := data[0] == 0xfe && data[1]&0xc0 == 0x80; !linkLocal {
				clear(data[16:20]) // ipi6_ifindex, behind the address
			}
			reply = message
		}
	}
	return reply, lost
}
