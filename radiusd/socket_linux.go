package radiusd

import (
	"encoding/binary"
	"syscall"

	"golang.org/x/sys/unix"
)

// sharesAddress says whether several sockets can listen on one address, each
// with a share of the clients.
const sharesAddress = true

// prepareSocket lets several sockets share an address, and makes the kernel tell
// with each packet which of our addresses it was sent to.
func prepareSocket(raw syscall.RawConn) error {
	var failed error
	err := raw.Control(func(fd uintptr) {
		failed = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
		// One of the two does not apply to the socket's family.
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_PKTINFO, 1)
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1)
	})
	if err != nil {
		return err
	}
	return failed
}

// replyFrom turns a received control message, in place, into one that sends from
// the address it names: the kernel uses the same structure both ways (ip(7),
// ipv6(7)). The interface is left to routing, except for link-local addresses.
func replyFrom(control []byte) []byte {
	if len(control) < unix.SizeofCmsghdr {
		return nil
	}
	data := control[unix.CmsgLen(0):]
	level, kind := binary.NativeEndian.Uint32(control[8:]), binary.NativeEndian.Uint32(control[12:])
	switch {
	case level == unix.IPPROTO_IP && kind == unix.IP_PKTINFO && len(data) >= unix.SizeofInet4Pktinfo:
		clear(data[:4]) // ipi_ifindex; ipi_spec_dst, the address to send from, follows
		return control[:unix.CmsgSpace(unix.SizeofInet4Pktinfo)]
	case level == unix.IPPROTO_IPV6 && kind == unix.IPV6_PKTINFO && len(data) >= unix.SizeofInet6Pktinfo:
		if linkLocal := data[0] == 0xfe && data[1]&0xc0 == 0x80; !linkLocal {
			clear(data[16:20]) // ipi6_ifindex, behind the address
		}
		return control[:unix.CmsgSpace(unix.SizeofInet6Pktinfo)]
	}
	return nil
}
