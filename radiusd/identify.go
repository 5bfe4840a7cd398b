package radiusd

import (
	"linegate"
	"linegate/policy"
)

// Finder looks up by a key of linegate.AppendKey. It may build what it finds in the
// room. known is false when it can't tell yet.
type Finder interface {
	Find(key []byte, room *linegate.Room) (lookup linegate.Lookup, known bool)
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
		lookup, known := finder.Find(key, &scratch.found)
		if by == linegate.ByCircuit && known && lookup == (linegate.Lookup{}) {
			lookup, known = findAlike(request, finder, scratch, &scratch.found)
		}
		if !known {
			return linegate.Facts{}, false
		}
		if lookup.Subscriber != nil || lookup.Ambiguous {
			return linegate.Facts{Subscriber: lookup.Subscriber, Ambiguous: lookup.Ambiguous, FoundBy: by}, true
		}
	}
	return linegate.Facts{}, true
}

// findAlike finds whose circuit-id is the request's in a form other than octet for
// octet, where profile or NAS say that it counts.
func findAlike(request *linegate.Request, finder Finder, scratch *Scratch, room *linegate.Room) (lookup linegate.Lookup, known bool) {
	form := linegate.AppendLineForm(scratch.form[:0], request.Line.CircuitID)
	if len(form) == 0 {
		return linegate.Lookup{}, true
	}
	lookup, known = finder.Find(linegate.AppendKey(scratch.key[:0], request.NAS.Tenant, linegate.ByLineForm, form), room)
	if lookup.Subscriber != nil && !policy.HasCircuit(lookup.Subscriber.Profile, request.NAS.LineMatch, request.Line.CircuitID) {
		return linegate.Lookup{}, known
	}
	if lookup.Ambiguous && request.NAS.LineMatch&^linegate.MatchExact == 0 {
		return linegate.Lookup{}, known // look alike, but octets are what counts here
	}
	return lookup, known
}

// Locate notes in a decision about a mismatch whose line the request came from, as
// far as memory knows.
func Locate(request *linegate.Request, decision *linegate.Decision, finder Finder, scratch *Scratch) {
	if decision.Option82.Result != linegate.Option82Mismatch || !decision.Option82.CircuitIDDiffers || len(request.Line.CircuitID) == 0 {
		return
	}
	lookup, known := finder.Find(linegate.AppendKey(scratch.key[:0], request.NAS.Tenant, linegate.ByCircuit, request.Line.CircuitID), &scratch.owner)
	if known && lookup == (linegate.Lookup{}) {
		lookup, _ = findAlike(request, finder, scratch, &scratch.owner)
	}
	decision.LineShared = lookup.Ambiguous
	if owner := lookup.Subscriber; owner != nil && owner.ID != decision.Subscriber.ID {
		decision.LineOwner = owner
	}
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
