//go:build !linux

package radiusd

import "syscall"

// sharesAddress says whether several sockets can listen on one address, each
// with a share of the clients.
const sharesAddress = false

// prepareSocket has nothing to do where sockets can't share an address.
func prepareSocket(syscall.RawConn, bool, bool) error { return nil }

// readControl leaves the address that answers come from to the system: listen on
// each address by itself where there are several.
func readControl([]byte) (reply []byte, lost uint32) { return nil, 0 }
