package policy

import (
	"time"

	"linegate"
)

func walledGarden(subscriber *linegate.Subscriber) linegate.WalledGarden {
	if subscriber.Profile == nil {
		return linegate.WalledGarden{}
	}
	return subscriber.Profile.WalledGarden
}

// Grant is what an accepted subscriber gets: all of its profile, or of the walled
// garden when it is suspended.
func Grant(facts linegate.Facts, settings linegate.Settings) (linegate.Reason, linegate.Grant) {
	subscriber := facts.Subscriber
	granted := linegate.Grant{
		SessionTimeout:      settings.SessionTimeout,
		AcctInterimInterval: settings.AcctInterimInterval,
	}
	if facts.FoundBy != linegate.ByUsername {
		granted.UserName = subscriber.Username
	}
	if profile := subscriber.Profile; profile != nil {
		granted.ReplyAttributes = profile.ReplyAttributes
		if profile.SessionTimeout > 0 {
			granted.SessionTimeout = uint32(profile.SessionTimeout / time.Second)
		}
		if profile.AcctInterimInterval > 0 {
			granted.AcctInterimInterval = uint32(profile.AcctInterimInterval / time.Second)
		}
		if subscriber.Status == linegate.StatusSuspended {
			grantWalledGarden(&granted, profile.WalledGarden)
			return linegate.ReasonWalledGarden, granted
		}
		grantService(&granted, profile)
	}
	return linegate.ReasonAuthorized, granted
}

// Entitled is what a subscriber would be granted now, from its own line and with
// the right password. admitted is false for one that would be rejected, or does not
// exist (nil).
func Entitled(subscriber *linegate.Subscriber, settings linegate.Settings) (grant linegate.Grant, reason linegate.Reason, admitted bool) {
	switch {
	case subscriber == nil:
		return grant, linegate.ReasonUnknownSubscriber, false
	case outOfService(subscriber) != "":
		return grant, outOfService(subscriber), false
	case subscriber.Profile == nil && settings.NoProfile == linegate.NoProfileReject:
		return grant, linegate.ReasonNoProfile, false
	}
	reason, grant = Grant(linegate.Facts{Subscriber: subscriber, FoundBy: linegate.ByUsername}, settings)
	return grant, reason, true
}

func grantWalledGarden(granted *linegate.Grant, garden linegate.WalledGarden) {
	granted.ServiceVLAN = garden.ServiceVLAN
	granted.FilterID = garden.FilterID
	granted.FramedPool = garden.Pool
	granted.IPv6Mode = linegate.IPv6None
}

func grantService(granted *linegate.Grant, profile *linegate.NetworkProfile) {
	granted.ServiceVLAN = profile.ServiceVLAN
	if profile.QinQEnabled {
		granted.InnerVLAN, granted.QinQ = profile.InnerVLAN, true
	}
	granted.IPv4 = profile.StaticIPv4
	granted.FramedPool = profile.FramedPool
	granted.Rate = profile.Rate
	granted.DNS, granted.FilterID = profile.DNSServers, profile.FilterID

	granted.IPv6Mode = profile.IPv6Mode
	if profile.IPv6Mode.GrantsSLAAC() {
		granted.FramedIPv6Prefix, granted.FramedIPv6Pool = profile.FramedIPv6Prefix, profile.FramedIPv6Pool
	}
	if profile.IPv6Mode.GrantsStateful() {
		granted.FramedIPv6Address, granted.StatefulIPv6Pool = profile.StaticIPv6, profile.StatefulIPv6Pool
	}
	if profile.IPv6Mode.GrantsPD() {
		granted.DelegatedIPv6Prefix, granted.DelegatedIPv6Pool = profile.DelegatedIPv6Prefix, profile.DelegatedIPv6Pool
	}
}
