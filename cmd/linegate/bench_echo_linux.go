package main

import (
	"context"
	"errors"
	"net"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

// serveEcho echoes on as many sockets as there are CPUs until ctx ends. ready is
// told the address that was bound.
func serveEcho(ctx context.Context, address string, ready func(bound string)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	group, ctx := errgroup.WithContext(ctx)
	listen := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error {
		var failed error
		err := raw.Control(func(fd uintptr) {
			failed = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
		})
		return errors.Join(err, failed)
	}}
	for range runtime.NumCPU() {
		conn, err := listen.ListenPacket(ctx, "udp4", address)
		if err != nil {
			cancel()
			_ = group.Wait() // ends with the sockets
			return err
		}
		address = conn.LocalAddr().String()
		context.AfterFunc(ctx, func() { conn.Close() })
		group.Go(func() error { return newEcho().serve(conn.(*net.UDPConn)) })
	}
	ready(address)
	if err := group.Wait(); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// echoBatch is how many datagrams an echo moves at a time.
const echoBatch = 64

// echo is the space of one socket's loop.
type echo struct {
	headers [echoBatch]batchHeader
	vectors [echoBatch]unix.Iovec
	names   [echoBatch]unix.RawSockaddrInet4
	data    [echoBatch][4096]byte
}

// batchHeader is struct mmsghdr (recvmmsg(2)).
type batchHeader struct {
	unix.Msghdr
	length uint32
}

func newEcho() *echo {
	e := &echo{}
	for i := range e.headers {
		e.vectors[i].Base = &e.data[i][0]
		e.headers[i].Name = (*byte)(unsafe.Pointer(&e.names[i]))
		e.headers[i].Iov = &e.vectors[i]
		e.headers[i].SetIovlen(1)
	}
	return e
}

// serve sends back what comes until the socket is closed.
func (e *echo) serve(conn *net.UDPConn) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	for {
		if err := raw.Read(e.turn); err != nil {
			return err
		}
	}
}

// turn sends back one batch; false: there is nothing to read yet. What can't be
// sent is lost, as datagrams may be.
func (e *echo) turn(fd uintptr) bool {
	for i := range e.headers {
		e.headers[i].Namelen = unix.SizeofSockaddrInet4
		e.vectors[i].SetLen(len(e.data[i]))
	}
	received, _, errno := unix.Syscall6(unix.SYS_RECVMMSG, fd, uintptr(unsafe.Pointer(&e.headers[0])), echoBatch, 0, 0, 0)
	if errno != 0 {
		return errno != unix.EAGAIN
	}
	for i := range received {
		e.vectors[i].SetLen(int(e.headers[i].length))
	}
	_, _, _ = unix.Syscall6(unix.SYS_SENDMMSG, fd, uintptr(unsafe.Pointer(&e.headers[0])), received, 0, 0, 0)
	return true
}
