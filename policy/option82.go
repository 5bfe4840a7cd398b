package policy

import "linegate"

// CheckOption82 compares the line a request came in on with the profile's. A
// field that the profile leaves empty is not compared; what is compared is raw
// octets.
func CheckOption82(profile *linegate.NetworkProfile, line linegate.AccessLine) linegate.Option82Check {
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
		check.CircuitIDDiffers = differs(profile.CircuitID, line.CircuitID)
		check.RemoteIDDiffers = differs(profile.RemoteID, line.RemoteID)
		check.Result = linegate.Option82Match
		if check.CircuitIDDiffers || check.RemoteIDDiffers {
			check.Result = linegate.Option82Mismatch
		}
	}
	return check
}

func differs(expected linegate.Octets, actual []byte) bool {
	return expected != "" && string(expected) != string(actual)
}

// identifies reports whether the line alone says that it is the profile's,
// whatever the policy is.
func identifies(line linegate.AccessLine, profile *linegate.NetworkProfile) bool {
	return profile != nil && profile.NamesLine() &&
		!differs(profile.CircuitID, line.CircuitID) && !differs(profile.RemoteID, line.RemoteID)
}
