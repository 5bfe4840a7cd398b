package coa

import "linegate"

// Entitlement is what a subscriber may have at one time.
type Entitlement struct {
	Admitted bool           // false: a request would be rejected now
	Walled   bool           // Grant is that of the walled garden
	Grant    linegate.Grant // zero unless Admitted
}

// Difference returns what has to happen to a live session of a subscriber whose
// entitlement changed: nothing, one change, or several that go into one request.
//
//   - Who is no longer admitted is disconnected.
//   - Who comes into the walled garden or out of it is suspended or resumed, by a
//     disconnect where the NAS can't.
//   - A rate, VLANs and a delegated prefix are changed while the session lasts.
//   - An address or a prefix of the link can't change under a session: it is
//     disconnected and comes back with the new one.
//   - Pools, DNS, timeouts and the name count from the next session on.
func Difference(before, after Entitlement) []linegate.Change {
	switch {
	case !after.Admitted && !before.Admitted:
		return nil
	case !after.Admitted:
		return []linegate.Change{Follow(linegate.ChangeDisconnect, after)}
	case after.Walled && !before.Walled:
		return []linegate.Change{Follow(linegate.ChangeSuspend, after)}
	case before.Walled && !after.Walled, !before.Admitted:
		return []linegate.Change{Follow(linegate.ChangeResume, after)}
	case after.Walled && garden(before.Grant) != garden(after.Grant):
		return []linegate.Change{{Kind: linegate.ChangeWalledGarden, Grant: after.Grant}}
	case after.Walled:
		return nil
	}
	return grantDifference(&before.Grant, &after.Grant)
}

// Follow returns the change that makes a live session have what its subscriber is
// entitled to now, where it is known what kind of change that was. Who is no longer
// admitted is disconnected whatever the kind, and who is in the walled garden gets
// nothing else. Into the garden and out of it goes by a disconnect where the NAS can't.
func Follow(kind linegate.ChangeKind, now Entitlement) linegate.Change {
	switch {
	case kind == linegate.ChangeDisconnect, kind == linegate.ChangeReauthenticate:
		return linegate.Change{Kind: kind}
	case !now.Admitted:
		return linegate.Change{Kind: linegate.ChangeDisconnect}
	case now.Walled && kind != linegate.ChangeWalledGarden:
		kind = linegate.ChangeSuspend
	}
	moves := kind == linegate.ChangeSuspend || kind == linegate.ChangeWalledGarden || kind == linegate.ChangeResume
	return linegate.Change{Kind: kind, Grant: now.Grant, OrDisconnect: moves}
}

// grantDifference compares what a session outside of a walled garden has.
func grantDifference(before, after *linegate.Grant) (changes []linegate.Change) {
	if before.IPv4 != after.IPv4 || before.FramedIPv6Prefix != after.FramedIPv6Prefix || before.FramedIPv6Address != after.FramedIPv6Address {
		return []linegate.Change{{Kind: linegate.ChangeDisconnect}}
	}
	if before.Rate != after.Rate {
		changes = append(changes, linegate.Change{Kind: linegate.ChangeRate, Grant: *after})
	}
	if before.ServiceVLAN != after.ServiceVLAN || before.InnerVLAN != after.InnerVLAN || before.QinQ != after.QinQ {
		changes = append(changes, linegate.Change{Kind: linegate.ChangeVLAN, Grant: *after})
	}
	if before.DelegatedIPv6Prefix != after.DelegatedIPv6Prefix {
		changes = append(changes, linegate.Change{Kind: linegate.ChangePrefix, Grant: *after})
	}
	return changes
}

func garden(g linegate.Grant) linegate.WalledGarden {
	return linegate.WalledGarden{ServiceVLAN: g.ServiceVLAN, FilterID: g.FilterID, Pool: g.FramedPool}
}
