package client

import (
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// alarm ends a socket's read at a set time. Go's own timers are late by up to a
// millisecond on an idle machine, which would show as latency of the server; a
// timer of the kernel is not.
type alarm struct {
	timer *os.File
	fd    int
	ended sync.WaitGroup
}

// newAlarm makes an alarm for the socket, to be closed after it.
func newAlarm(conn *net.UDPConn) (*alarm, error) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("timerfd_create", err)
	}
	a := &alarm{timer: os.NewFile(uintptr(fd), "timer"), fd: fd}
	a.ended.Go(func() {
		var expirations [8]byte
		for {
			if _, err := a.timer.Read(expirations[:]); err != nil {
				return
			}
			_ = conn.SetReadDeadline(time.Unix(1, 0)) // fails only once the socket is closed
		}
	})
	return a, nil
}

// set makes the alarm go off after a while of more than 0. A deadline that is set
// on the socket afterwards may hide it.
func (a *alarm) set(after time.Duration) error {
	return os.NewSyscallError("timerfd_settime", unix.TimerfdSettime(a.fd, 0, &unix.ItimerSpec{Value: unix.NsecToTimespec(after.Nanoseconds())}, nil))
}

func (a *alarm) close() {
	a.timer.Close()
	a.ended.Wait()
}
