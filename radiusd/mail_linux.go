package radiusd

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"linegate/radiusd/wire"
)

// batchSize is how many datagrams one system call moves at most.
const batchSize = 32

// mail moves the datagrams of one socket, many with each system call (recvmmsg(2),
// sendmmsg(2)). It belongs to the socket's loop. What it hands out is valid until
// the next receive; answers that are put leave with the next flush, which has to
// come before that.
type mail struct {
	raw syscall.RawConn

	letters  [batchSize]letter
	received [batchSize]mmsghdr

	answers [batchSize][wire.MaxPacketSize]byte
	vectors [batchSize]unix.Iovec
	sent    [batchSize]mmsghdr
	to      [batchSize]addressee
	queued  int

	// The calls below are made by the closures, which are made once, so that no call
	// allocates; moved and errno are what they brought.
	receiving, sending func(fd uintptr) (done bool)
	first              int // of the answers that are not sent yet
	moved              int
	errno              syscall.Errno
}

// letter is the memory of one datagram that comes in.
type letter struct {
	name    unix.RawSockaddrInet6 // or RawSockaddrInet4, which is shorter
	vector  unix.Iovec
	control [controlSize]byte
	octets  [wire.MaxPacketSize + 1]byte
}

// mmsghdr is the kernel's struct of that name.
type mmsghdr struct {
	header unix.Msghdr
	length uint32
}

// addressee is who an answer goes to.
type addressee struct {
	peer   peer
	client *Client
}

func newMail(conn *net.UDPConn) (*mail, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, fmt.Errorf("socket: %w", err)
	}
	m := &mail{raw: raw}
	for i := range m.letters {
		letter, header := &m.letters[i], &m.received[i].header
		letter.vector.Base = &letter.octets[0]
		letter.vector.SetLen(len(letter.octets))
		header.Name = (*byte)(unsafe.Pointer(&letter.name))
		header.Iov = &letter.vector
		header.SetIovlen(1)
		header.Control = &letter.control[0]
		m.vectors[i].Base = &m.answers[i][0]
		m.sent[i].header.Iov = &m.vectors[i]
		m.sent[i].header.SetIovlen(1)
	}
	m.receiving = func(fd uintptr) bool {
		m.call(unix.SYS_RECVMMSG, fd, m.received[:])
		return m.errno != unix.EAGAIN
	}
	m.sending = func(fd uintptr) bool {
		m.call(unix.SYS_SENDMMSG, fd, m.sent[m.first:m.queued])
		return m.errno != unix.EAGAIN
	}
	return m, nil
}

// call never blocks, so the scheduler is not told of it: it would take the thread
// for a blocked one in the middle of a batch, and start another in its place.
func (m *mail) call(trap, fd uintptr, headers []mmsghdr) {
	for {
		moved, _, errno := unix.RawSyscall6(trap, fd, uintptr(unsafe.Pointer(&headers[0])), uintptr(len(headers)), unix.MSG_DONTWAIT, 0, 0)
		m.moved, m.errno = int(moved), errno
		if errno != unix.EINTR {
			return
		}
	}
}

// receive waits for a datagram and takes all that have come, up to a batch. It
// returns os.ErrDeadlineExceeded after the socket's read deadline, and errors of
// earlier answers that the network reports.
func (m *mail) receive() (count int, err error) {
	for i := range m.received {
		header := &m.received[i].header
		header.Namelen = unix.SizeofSockaddrInet6
		header.SetControllen(controlSize)
	}
	if err := m.raw.Read(m.receiving); err != nil {
		return 0, err
	}
	if m.errno != 0 {
		return 0, fmt.Errorf("receive: %w", m.errno)
	}
	return m.moved, nil
}

// letter returns one of the datagrams that came with the last receive, who sent
// it, and how many the kernel has had no room for so far.
func (m *mail) letter(number int) (datagram []byte, from peer, lost uint32) {
	letter, header := &m.letters[number], &m.received[number]
	control, lost := readControl(letter.control[:header.header.Controllen])
	return letter.octets[:header.length], peer{address: letter.sender(), control: control, letter: number}, lost
}

// sender reads the address that the kernel noted.
func (l *letter) sender() netip.AddrPort {
	port := binary.BigEndian.Uint16((*[2]byte)(unsafe.Pointer(&l.name.Port))[:])
	if l.name.Family == unix.AF_INET {
		return netip.AddrPortFrom(netip.AddrFrom4((*unix.RawSockaddrInet4)(unsafe.Pointer(&l.name)).Addr), port)
	}
	address := netip.AddrFrom16(l.name.Addr).Unmap()
	if l.name.Scope_id != 0 && address.Is6() {
		address = address.WithZone(strconv.FormatUint(uint64(l.name.Scope_id), 10))
	}
	return netip.AddrPortFrom(address, port)
}

// space is where the next answer can be written before it is put.
func (m *mail) space() []byte { return m.answers[m.queued%batchSize][:0] }

// put queues an answer to the sender of a letter of the last receive, and returns
// where it waits: until the flush it may still change. There is room for one to each.
func (m *mail) put(answer []byte, to addressee) (queued []byte) {
	slot := m.queued
	m.queued++
	m.to[slot] = to
	size := copy(m.answers[slot][:], answer)
	m.vectors[slot].SetLen(size)
	letter, header := &m.letters[to.peer.letter], &m.sent[slot].header
	header.Name, header.Namelen = (*byte)(unsafe.Pointer(&letter.name)), m.received[to.peer.letter].header.Namelen
	header.Control = unsafe.SliceData(to.peer.control)
	header.SetControllen(len(to.peer.control))
	return m.answers[slot][:size]
}

// flush sends what was put. failed is told of each answer that the network
// refused.
func (m *mail) flush(failed func(addressee, error)) {
	for m.first = 0; m.first < m.queued; {
		if err := m.raw.Write(m.sending); err != nil {
			failed(m.to[m.first], err)
			m.first++
			continue
		}
		if m.errno != 0 {
			failed(m.to[m.first], fmt.Errorf("send: %w", m.errno))
			m.moved = 1
		}
		m.first += m.moved
	}
	m.queued = 0
}
