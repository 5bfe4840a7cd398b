//go:build !linux

package client

import (
	"net"
	"time"
)

// alarm ends a socket's read at a set time, as exactly as Go's timers are.
type alarm struct{ conn *net.UDPConn }

func newAlarm(conn *net.UDPConn) (*alarm, error) { return &alarm{conn}, nil }

func (a *alarm) set(after time.Duration) error {
	return a.conn.SetReadDeadline(time.Now().Add(after))
}

func (a *alarm) close() {}
