package coa

import (
	"cmp"
	"fmt"
	"net/netip"

	"linegate"
	"linegate/policy/dialect"
	"linegate/radiusd/wire"
)

// nasEntry is a NAS as changes need it.
type nasEntry struct {
	linegate.NAS
	dialect *dialect.Dialect
	signer  *wire.Signer
	port    uint16
	window  int
}

// nasTable finds a NAS by tenant and name. It is never changed: another replaces it.
type nasTable struct{ byName map[[2]string]*nasEntry }

func (t *nasTable) find(key linegate.NASKey) *nasEntry {
	return t.byName[[2]string{key.Tenant, key.Name}]
}

// SetNASes replaces the NAS that are known. Those whose dialect does not exist are
// left out and reported.
func (s *Sender) SetNASes(nases []linegate.NAS) (problems []error) {
	table := &nasTable{byName: make(map[[2]string]*nasEntry, len(nases))}
	for _, nas := range nases {
		spoken := s.options.Dialects[nas.Dialect]
		if spoken == nil {
			problems = append(problems, fmt.Errorf("nas %s of tenant %s: dialect %q does not exist", nas.Name, nas.Tenant, nas.Dialect))
			continue
		}
		table.byName[[2]string{nas.Tenant, nas.Name}] = &nasEntry{
			NAS: nas, dialect: spoken,
			signer: wire.NewSigner(cmp.Or(nas.CoASecret, nas.Secret).Reveal()),
			port:   cmp.Or(nas.CoAPort, spoken.CoA().Port),
			window: int(cmp.Or(nas.CoAWindow, linegate.DefaultCoAWindow)),
		}
	}
	s.nases.Store(table)
	return problems
}

// address is where the session's NAS listens: one entry may stand for many boxes,
// each of which says in its accounting how it is reached.
func (n *nasEntry) address(session *linegate.Session) netip.AddrPort {
	address := session.NAS.Address
	if n.CoAAddress.IsValid() {
		address = n.CoAAddress
	}
	return netip.AddrPortFrom(address, n.port)
}

// Window returns how many requests the NAS gets at a time.
func (s *Sender) Window(key linegate.NASKey) int {
	if nas := s.nases.Load().find(key); nas != nil {
		return nas.window
	}
	return 1
}
