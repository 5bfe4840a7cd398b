package radiusd

import "linegate"

// Finder looks up by a key of linegate.AppendKey. known is false when it can't
// tell yet.
type Finder interface {
	Find(key []byte) (lookup linegate.Lookup, known bool)
}

// Identify finds the subscriber a request is about, by the NAS's identities in
// their order; the first that finds somebody counts. known is false when the
// finder could not answer for one of them.
func Identify(request *linegate.Request, finder Finder, scratch *Scratch) (facts linegate.Facts, known bool) {
	for _, by := range request.NAS.Identify {
		key := identityKey(scratch.key[:0], request, by)
		if key == nil {
			continue
		}
		lookup, known := finder.Find(key)
		if !known {
			return linegate.Facts{}, false
		}
		if lookup.Subscriber != nil || lookup.Ambiguous {
			return linegate.Facts{Subscriber: lookup.Subscriber, Ambiguous: lookup.Ambiguous, FoundBy: by}, true
		}
	}
	return linegate.Facts{}, true
}

// identityKey returns the key that a request gives for one identity, nil when it
// has none.
func identityKey(buffer []byte, request *linegate.Request, by linegate.Identity) []byte {
	tenant := request.NAS.Tenant
	switch by {
	case linegate.ByUsername:
		if len(request.UserName) > 0 {
			return linegate.AppendKey(buffer, tenant, by, request.UserName)
		}
	case linegate.ByCircuit:
		if len(request.Line.CircuitID) > 0 {
			return linegate.AppendKey(buffer, tenant, by, request.Line.CircuitID)
		}
	case linegate.ByMAC:
		if mac, ok := request.MAC(); ok {
			return linegate.AppendMACKey(buffer, tenant, mac)
		}
	}
	return nil
}
