package policy

import "linegate"

// CheckOption82 compares the line a request came in on with the profile's lines, in
// the forms that the profile, or else the NAS, lets count as equal. One that is the
// request's makes a match; a field that a line leaves empty is not compared. fallback
// is linegate.NAS.LineMatch.
func CheckOption82(profile *linegate.NetworkProfile, fallback linegate.LineMatch, line linegate.AccessLine) linegate.Option82Check {
	if profile == nil {
		return linegate.Option82Check{Result: linegate.Option82NoProfile}
	}
	check := linegate.Option82Check{Policy: profile.Option82Policy}
	switch {
	case profile.Option82Policy == linegate.Option82Ignore:
		check.Result = linegate.Option82Ignored
	case !line.Present():
		check.Result = linegate.Option82Missing
	default:
		check.CircuitIDDiffers, check.RemoteIDDiffers = nearest(profile, profile.LineMatch.Or(fallback), line)
		check.Result = linegate.Option82Match
		if check.CircuitIDDiffers || check.RemoteIDDiffers {
			check.Result = linegate.Option82Mismatch
		}
	}
	return check
}

// nearest returns how the profile's line that fits best differs from the request's:
// not at all, else in the remote-id, else as the first one does. Lines that name
// nothing count only where the profile has no other.
func nearest(profile *linegate.NetworkProfile, match linegate.LineMatch, line linegate.AccessLine) (circuit, remote bool) {
	seen := false
	for i := range profile.LineCount() {
		expected := profile.LineAt(i)
		if !expected.Named() && len(profile.MoreLines) > 0 {
			continue
		}
		c, r := differs(match, expected.CircuitID, line.CircuitID), differs(match, expected.RemoteID, line.RemoteID)
		if !c && !r {
			return false, false
		}
		if !seen || circuit && !c {
			circuit, remote, seen = c, r, true
		}
	}
	return circuit, remote
}

func differs(match linegate.LineMatch, expected linegate.Octets, actual []byte) bool {
	return expected != "" && (actual == nil || !match.Equal(expected, actual))
}

// identifies reports whether the line alone says that it is the profile's, whatever
// the policy is. A pattern says so only of itself.
func identifies(line linegate.AccessLine, profile *linegate.NetworkProfile, fallback linegate.LineMatch) bool {
	if profile == nil {
		return false
	}
	match := profile.LineMatch.Or(fallback) &^ linegate.MatchGlob
	for i := range profile.LineCount() {
		expected := profile.LineAt(i)
		if expected.Named() && !differs(match, expected.CircuitID, line.CircuitID) && !differs(match, expected.RemoteID, line.RemoteID) {
			return true
		}
	}
	return false
}

// HasCircuit reports whether one of the profile's lines has the circuit-id of a
// request, in the forms that count as equal. It tells who was found by more than
// octets from who only looks alike.
func HasCircuit(profile *linegate.NetworkProfile, fallback linegate.LineMatch, circuit []byte) bool {
	if profile == nil {
		return false
	}
	match := profile.LineMatch.Or(fallback) &^ linegate.MatchGlob
	for i := range profile.LineCount() {
		if expected := profile.LineAt(i).CircuitID; expected != "" && match.Equal(expected, circuit) {
			return true
		}
	}
	return false
}

// CheckVLAN compares the VLANs that the NAS received a request with to the profile's.
// An inner VLAN that the profile leaves open is not compared.
func CheckVLAN(profile *linegate.NetworkProfile, line linegate.AccessLine) linegate.VLANCheck {
	if profile == nil || profile.CheckVLAN == "" || profile.CheckVLAN == linegate.Option82Ignore {
		return linegate.VLANCheck{}
	}
	check := linegate.VLANCheck{Policy: profile.CheckVLAN, Result: linegate.VLANMatch}
	switch {
	case line.ServiceVLAN == 0:
		check.Result = linegate.VLANUnknown
	case line.ServiceVLAN != profile.ServiceVLAN, profile.InnerVLAN != 0 && line.InnerVLAN != profile.InnerVLAN:
		check.Result = linegate.VLANMismatch
	}
	return check
}
