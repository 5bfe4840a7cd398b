package radiusd

import (
	"time"

	"linegate"
	"linegate/policy"
	"linegate/radiusd/wire"
	"linegate/telemetry"
)

// accounting hands an Accounting-Request to the ledger, and acknowledges it when
// the ledger says that it is durable: not before (RFC 2866 section 2).
func (x *exchange) accounting() {
	event, ok := x.readEvent()
	if !ok {
		x.giveUp(telemetry.DropNoAcctFields, nil)
		return
	}
	held := x.detach()
	err := x.socket.server.ledger.Record(event, func(err error) {
		defer held.done()
		held.acknowledge(event.Status, err)
	})
	if err != nil {
		held.done()
		x.giveUp(dropFor(err), err)
	}
}

// acknowledge answers after the ledger's word.
func (x *exchange) acknowledge(status linegate.AcctStatus, err error) {
	if err != nil {
		x.giveUp(dropFor(err), err)
		return
	}
	if x.answer(x.client.appendPlainReply(nil, wire.AccountingResponse, x.packet), telemetry.ReplyAccountingResponse) {
		x.client.tenant.Accounting(status)
	}
}

// readEvent reads the event and ties it to its subscriber. ok is false when the
// request lacks what RFC 2866 section 4.1 demands: a status that we know and,
// with a session's status, an Acct-Session-Id.
func (x *exchange) readEvent() (event linegate.AccountingEvent, ok bool) {
	event = ReadAccounting(x.packet, x.received)
	if event.Status == "" || event.AcctSessionID == "" && !event.EndsAll() {
		return event, false
	}
	event.NAS.Tenant, event.NAS.Name = x.client.Tenant, x.client.Name
	if !event.NAS.Address.IsValid() {
		event.NAS.Address = x.from.address.Addr()
	}
	request := x.client.ReadRequest(x.packet, &x.socket.scratch)
	event.Line.CircuitID, event.Line.RemoteID = linegate.Octets(request.Line.CircuitID), linegate.Octets(request.Line.RemoteID)
	if !event.EndsAll() {
		x.attribute(&event, &request)
	}
	return event, true
}

// attribute names the subscriber and what memory knows of its grant: the VLANs, and
// how often the session is to report.
// Class tells the subscriber whatever the NAS put into User-Name.
func (x *exchange) attribute(event *linegate.AccountingEvent, request *linegate.Request) {
	facts, _ := Identify(request, x.socket.server.directory, &x.socket.scratch)
	if facts.Subscriber != nil {
		event.SubscriberID = facts.Subscriber.ID
		_, granted := policy.Grant(facts, *x.socket.server.settings.Load())
		event.ServiceVLAN, event.InnerVLAN = granted.ServiceVLAN, granted.InnerVLAN
		event.InterimInterval = granted.AcctInterimInterval
	}
	if class, ours := linegate.ParseClass([]byte(event.Class)); ours && class.Tenant == x.client.tag {
		event.SubscriberID = class.SubscriberID
	}
}

// ReadAccounting reads what an Accounting-Request says by itself. The event owns
// its memory; Status is empty when the packet's is none of RFC 2866.
func ReadAccounting(packet wire.Packet, received time.Time) linegate.AccountingEvent {
	event := linegate.AccountingEvent{ReceivedAt: received, At: received}
	var inputGigawords, outputGigawords uint32
	for attribute := range packet.Attributes() {
		value := attribute.Value
		number, _ := wire.Uint32(value)
		switch attribute.Type {
		case wire.AcctStatusType:
			event.Status = acctStatus(number)
		case wire.AcctDelayTime:
			event.At = received.Add(-time.Duration(min(number, maxAcctDelay)) * time.Second)
		case wire.AcctSessionID:
			event.AcctSessionID = string(value)
		case wire.AcctSessionTime:
			event.SessionTime = number
		case wire.AcctInputOctets:
			event.InputOctets = uint64(number)
		case wire.AcctOutputOctets:
			event.OutputOctets = uint64(number)
		case wire.AcctInputGigawords:
			inputGigawords = number
		case wire.AcctOutputGigawords:
			outputGigawords = number
		case wire.AcctInputPackets:
			event.InputPackets = uint64(number)
		case wire.AcctOutputPackets:
			event.OutputPackets = uint64(number)
		case wire.AcctTerminateCause:
			event.TerminateCause = number
		case wire.UserName:
			event.UserName = string(value)
		case wire.ClassAttribute:
			event.Class = preferOurs(event.Class, value)
		case wire.CallingStationID:
			event.CallingStationID = string(value)
		case wire.NASPortID:
			event.NASPortID = string(value)
		default:
			readAddresses(&event, attribute)
		}
	}
	event.InputOctets |= uint64(inputGigawords) << 32 // RFC 2869 section 5.1
	event.OutputOctets |= uint64(outputGigawords) << 32
	return event
}

// maxAcctDelay bounds Acct-Delay-Time, in seconds: a record older than a month
// has a broken clock behind it.
const maxAcctDelay = 31 * 24 * 60 * 60

func readAddresses(event *linegate.AccountingEvent, attribute wire.Attribute) {
	value := attribute.Value
	switch attribute.Type {
	case wire.NASIPAddress, wire.NASIPv6Address:
		if !event.NAS.Address.IsValid() {
			event.NAS.Address = wire.Address(value)
		}
	case wire.FramedIPAddress:
		event.FramedIPv4 = wire.Address(value)
	case wire.FramedIPv6Address:
		event.FramedIPv6Address = wire.Address(value)
	case wire.FramedIPv6Prefix:
		event.FramedIPv6Prefix, _ = wire.IPv6Prefix(value)
	case wire.DelegatedIPv6Prefix:
		event.DelegatedIPv6Prefix, _ = wire.IPv6Prefix(value)
	}
}

// preferOurs keeps the Class that we gave where a NAS sends several.
func preferOurs(known linegate.Octets, value []byte) linegate.Octets {
	if _, ours := linegate.ParseClass(value); ours || known == "" {
		return linegate.Octets(value)
	}
	return known
}

func acctStatus(number uint32) linegate.AcctStatus {
	switch number {
	case wire.StatusStart:
		return linegate.AcctStart
	case wire.StatusInterimUpdate:
		return linegate.AcctInterim
	case wire.StatusStop:
		return linegate.AcctStop
	case wire.StatusAccountingOn:
		return linegate.AcctOn
	case wire.StatusAccountingOff:
		return linegate.AcctOff
	}
	return ""
}
