package main

import (
	"encoding/json"

	"linegate"
)

// subscriberRecord is everything an operator may see of a subscriber: never the
// password, only how it is held.
func subscriberRecord(s *linegate.Subscriber, fields []shownField) record {
	credential := string(s.Credential.Kind)
	if s.Credential.Kind == linegate.CredentialNone {
		credential = "none"
	}
	r := record{{"tenant", s.Tenant}}
	for _, field := range fields {
		if field.Name == "password" {
			r = append(r, property{"password_kind", credential})
			continue
		}
		r = append(r, property{field.Name, field.value(s)})
	}
	return append(r,
		property{"has_profile", s.Profile != nil},
		property{"last_validated_at", s.Validation.LastAt},
		property{"last_validation_result", s.Validation.LastResult},
		property{"option82_mismatch_count", s.Validation.MismatchCount},
		property{"revision", s.Revision},
		property{"id", s.ID},
	)
}

// shownField is a property of a subscriber with the type it has in JSON.
type shownField struct {
	linegate.Field
	number bool
	truth  bool
}

// shownFields returns the properties of a subscriber with their types, which show
// in what their text forms accept: numbers take digits but no word, truth values
// take "true" but no other word.
func shownFields() []shownField {
	accepts := func(field linegate.Field, text string) bool {
		return field.Set(&linegate.Subscriber{}, text) == nil
	}
	var shown []shownField
	for _, field := range linegate.Fields() {
		anyWord := accepts(field, "word")
		shown = append(shown, shownField{
			Field:  field,
			number: !anyWord && accepts(field, "100"),
			truth:  !anyWord && accepts(field, "true"),
		})
	}
	return shown
}

// value returns the property as JSON should hold it; nil for a number that is
// not set.
func (f shownField) value(s *linegate.Subscriber) any {
	text := f.Get(s)
	switch {
	case f.truth:
		return text == "true"
	case f.number && text == "":
		return nil
	case f.number:
		return json.Number(text)
	}
	return text
}

// sessionRecord is everything that is known of a session.
func sessionRecord(s *linegate.Session, causes causeNames) record {
	return record{
		{"id", s.ID},
		{"tenant", s.NAS.Tenant},
		{"nas", s.NAS.Name},
		{"nas_address", s.NAS.Address},
		{"acct_session_id", s.AcctSessionID},
		{"subscriber_id", s.SubscriberID},
		{"username", s.UserName},
		{"service_vlan", s.ServiceVLAN},
		{"inner_vlan", s.InnerVLAN},
		{"framed_ipv4", s.FramedIPv4},
		{"framed_ipv6_address", s.FramedIPv6Address},
		{"framed_ipv6_prefix", s.FramedIPv6Prefix},
		{"delegated_ipv6_prefix", s.DelegatedIPv6Prefix},
		{"circuit_id", s.CircuitID},
		{"remote_id", s.RemoteID},
		{"calling_station_id", s.CallingStationID},
		{"nas_port_id", s.NASPortID},
		{"active", s.Open()},
		{"started_at", s.StartedAt},
		{"updated_at", s.UpdatedAt},
		{"stopped_at", s.StoppedAt},
		{"session_time", s.SessionTime},
		{"input_octets", s.InputOctets},
		{"output_octets", s.OutputOctets},
		{"input_packets", s.InputPackets},
		{"output_packets", s.OutputPackets},
		{"terminate_cause", causes.of(s.TerminateCause)},
		{"interim_interval", s.InterimInterval},
	}
}
