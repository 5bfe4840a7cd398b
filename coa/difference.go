package coa

import "linegate"

// Entitlement is what a subscriber may have at one time.
type Entitlement struct {
	Admitted bool           // false: a request would be rejected now
	Walled   bool           // Grant is that of the walled garden
	Grant    linegate.Grant // zero unless Admitted
}

// Difference returns what has to happen to a live session of a subscriber whose
// entitlement changed; ok is false when nothing has to.
//
//   - Who is no longer admitted is disconnected.
//   - Who comes into the walled garden or out of it is suspended or resumed, by a
//     disconnect where the NAS can't.
//   - A rate, a VLAN or a delegated prefix alone is changed alone; several of them at
//     once are one change of the whole grant, so that they happen together or not.
//   - An address or a prefix of the link can't change under a session: it is
//     disconnected and comes back with the new one.
//   - Pools, timeouts and the name count from the next session on.
func Difference(before, after Entitlement) (change linegate.Change, ok bool) {
	if !after.Admitted {
		return linegate.Change{Kind: linegate.ChangeDisconnect}, before.Admitted
	}
	if before.Admitted && addresses(before.Grant) != addresses(after.Grant) && before.Walled == after.Walled {
		return linegate.Change{Kind: linegate.ChangeDisconnect}, true
	}
	kind := kindOf(before, after)
	return linegate.Change{Kind: kind, Grant: after.Grant, OrDisconnect: before.Walled != after.Walled}, kind != ""
}

func kindOf(before, after Entitlement) linegate.ChangeKind {
	switch {
	case after.Walled && !before.Walled:
		return linegate.ChangeSuspend
	case before.Walled && !after.Walled, !before.Admitted:
		return linegate.ChangeResume
	case after.Walled && garden(before.Grant) != garden(after.Grant):
		return linegate.ChangeWalledGarden
	case after.Walled:
		return ""
	}
	var kinds []linegate.ChangeKind
	if before.Grant.Rate != after.Grant.Rate {
		kinds = append(kinds, linegate.ChangeRate)
	}
	if vlans(before.Grant) != vlans(after.Grant) {
		kinds = append(kinds, linegate.ChangeVLAN)
	}
	if before.Grant.DelegatedIPv6Prefix != after.Grant.DelegatedIPv6Prefix {
		kinds = append(kinds, linegate.ChangePrefix)
	}
	if before.Grant.FilterID != after.Grant.FilterID || len(kinds) > 1 {
		return linegate.ChangeResume
	}
	if len(kinds) == 0 {
		return ""
	}
	return kinds[0]
}

// addresses are the parts of a grant that a session keeps to its end.
func addresses(g linegate.Grant) linegate.Grant {
	return linegate.Grant{IPv4: g.IPv4, FramedIPv6Prefix: g.FramedIPv6Prefix, FramedIPv6Address: g.FramedIPv6Address}
}

func vlans(g linegate.Grant) linegate.Grant {
	return linegate.Grant{ServiceVLAN: g.ServiceVLAN, InnerVLAN: g.InnerVLAN, QinQ: g.QinQ}
}

func garden(g linegate.Grant) linegate.WalledGarden {
	return linegate.WalledGarden{ServiceVLAN: g.ServiceVLAN, FilterID: g.FilterID, Pool: g.FramedPool}
}
