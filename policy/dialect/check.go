package dialect

import (
	"fmt"

	"linegate"
)

// Check returns what the dialect can't say of a grant, by the properties of a
// profile that it comes from. garden is whether the grant is that of a walled
// garden, whose properties have other names.
func (d *Dialect) Check(grant *linegate.Grant, garden bool) linegate.FieldErrors {
	var bad linegate.FieldErrors
	from := source{grant: grant}
	for t := range topicCount {
		if !t.in(grant) {
			continue
		}
		property := topicTable[t].property
		if garden && topicTable[t].garden != "" {
			property = topicTable[t].garden
		}
		if reason := d.topics[t].unsupported; reason != "" {
			bad = append(bad, &linegate.FieldError{Field: property, Value: valueOf(t, grant), Allowed: "dialect " + d.name + ": " + reason})
			continue
		}
		if reason := d.silent(t, &from, garden); reason != "" {
			bad = append(bad, &linegate.FieldError{Field: property, Value: valueOf(t, grant), Allowed: "dialect " + d.name + ": " + reason})
		}
		bad = append(bad, d.overflowing(t, &from)...)
	}
	return append(bad, d.checkExtra(grant.ReplyAttributes)...)
}

// overflowing lists the fields of a topic whose numbers their attributes can't hold,
// each once.
func (d *Dialect) overflowing(t topic, from *source) (bad linegate.FieldErrors) {
	seen := map[string]bool{}
	for i := range d.topics[t].statements {
		name, most := d.topics[t].statements[i].overflows(from)
		if name == "" || seen[name] {
			continue
		}
		seen[name] = true
		f, _ := fieldNamed(name)
		n, _ := from.number(f)
		bad = append(bad, &linegate.FieldError{Field: name, Value: fmt.Sprint(n), Allowed: fmt.Sprintf("at most %d on a NAS that speaks %s", most, d.name)})
	}
	return bad
}

// silent returns why nothing would be said of a topic that has statements, or of
// one that is there to keep a suspended subscriber apart; empty: something would.
func (d *Dialect) silent(t topic, from *source, garden bool) string {
	statements := d.topics[t].statements
	switch {
	case len(statements) == 0 && garden && topicTable[t].garden != "":
		return "it has no attribute for it, so a suspended subscriber would not be kept apart"
	case len(statements) == 0:
		return ""
	}
	for i := range statements {
		if statements[i].speaks(from) {
			return ""
		}
	}
	return "not without the other values that its attribute holds, such as both rates"
}

// valueOf is what a grant holds of a topic, for people.
func valueOf(t topic, grant *linegate.Grant) string {
	switch t {
	case topicServiceVLAN:
		return fmt.Sprint(grant.ServiceVLAN)
	case topicInnerVLAN:
		return fmt.Sprint(grant.InnerVLAN)
	case topicIPv4:
		return grant.IPv4.String()
	case topicFramedPrefix:
		return grant.FramedIPv6Prefix.String()
	case topicFramedIPv6:
		return grant.FramedIPv6Address.String()
	case topicDelegatedPrefix:
		return grant.DelegatedIPv6Prefix.String()
	case topicRate:
		return fmt.Sprint(grant.Rate.DownloadKbps)
	case topicFilter:
		return grant.FilterID
	case topicFramedPool:
		return grant.FramedPool
	case topicFramedIPv6Pool:
		return grant.FramedIPv6Pool
	case topicDelegatedPool:
		return grant.DelegatedIPv6Pool
	case topicStatefulPool:
		return grant.StatefulIPv6Pool
	case topicDNS4, topicDNS6:
		return fmt.Sprint(grant.DNS)
	}
	return topicTable[t].key
}

// checkExtra reports extra attributes that the dictionary doesn't know or that are
// the server's own to write.
func (d *Dialect) checkExtra(attributes []string) (bad linegate.FieldErrors) {
	refuse := func(text, allowed string) {
		bad = append(bad, &linegate.FieldError{Field: "reply_attributes", Value: text, Allowed: allowed})
	}
	for _, text := range attributes {
		pair, err := d.names.ParsePair(text)
		switch {
		case err != nil:
			refuse(text, err.Error())
		case pair.Attribute.Encrypt != 0:
			refuse(text, "attributes that are not encrypted")
		case pair.Attribute.Vendor == 0 && ownAttribute(pair.Attribute.Number):
			refuse(text, "attributes that the server does not write by itself")
		}
	}
	return bad
}

// ownAttribute reports whether only the server itself may write an attribute:
// proofs and what ties packets together.
func ownAttribute(number uint32) bool {
	switch number {
	case 2, 3, 24, 25, 26, 33, 60, 79, 80:
		return true
	}
	return false
}
