package dialect

import "linegate"

// AppendGrant writes what a subscriber gets, topic by topic, and then the extra
// attributes of its profile. What the dialect can't say is left out, and a number
// that an attribute can't hold is sent as the greatest it can: Check finds both
// when a profile is saved.
func (d *Dialect) AppendGrant(dst []byte, grant *linegate.Grant) []byte {
	from := source{grant: grant}
	for t := range topicCount {
		statements := d.topics[t].statements
		if len(statements) == 0 || !t.in(grant) {
			continue
		}
		for i := range statements {
			dst = statements[i].append(dst, &from)
		}
	}
	return d.appendExtra(dst, grant.ReplyAttributes)
}

// appendExtra writes attributes given as "Name = value". One that no longer parses,
// because the dictionary has changed since it was saved, is left out.
func (d *Dialect) appendExtra(dst []byte, attributes []string) []byte {
	for _, text := range attributes {
		pair, err := d.names.ParsePair(text)
		if err != nil {
			continue
		}
		if longer, err := pair.Append(dst); err == nil {
			dst = longer
		}
	}
	return dst
}
