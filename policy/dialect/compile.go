package dialect

import (
	"maps"
	"slices"
	"strings"

	"linegate"
	"linegate/dictionary"
)

// compile looks up all names of a definition that has inherited. What is wrong is
// added to its problems.
func (d *definition) compile(names *dictionary.Dictionary) *Dialect {
	compiled := &Dialect{name: d.name, about: d.about, source: d.file, text: d.text, names: names,
		changes: map[linegate.ChangeKind]change{}, traits: d.traits()}
	for about := range d.carriers {
		for rank, text := range d.carriers[about] {
			if c, ok := d.compileCarrier(names, text, target(about), rank); ok {
				compiled.carriers = append(compiled.carriers, c)
			}
		}
	}
	compiled.line = newLineReader(compiled.carriers)
	compiled.tellsVLANs = len(d.carriers[targetVLANs]) > 0
	for t, text := range d.phrases {
		if text != nil {
			compiled.topics[t] = phrase{d.statements(names, text.items, grantFields), text.unsupported}
		}
	}
	compiled.identity = d.statements(names, d.identity, sessionFields)
	for _, kind := range slices.Sorted(maps.Keys(d.changes)) {
		compiled.changes[kind] = d.compileChange(names, d.changes[kind])
	}
	return compiled
}

func (d *definition) traits() CoATraits {
	traits := CoATraits{Port: 3799}
	if d.port != nil {
		traits.Port = *d.port
	}
	traits.MessageAuthenticator = d.signed != nil && *d.signed
	traits.EventTimestamp = d.dated != nil && *d.dated
	return traits
}

func (d *definition) compileCarrier(names *dictionary.Dictionary, text carrierText, about target, rank int) (carrier, bool) {
	c := carrier{target: about, rank: rank, prefix: text.prefix, form: formNames()[text.form]}
	var ok bool
	if c.attribute, ok = names.Lookup(text.attribute); !ok {
		d.note(text.node, text.key, "attribute %q is not in the dictionary", text.attribute)
		return c, false
	}
	if c.outer, ok = c.attribute.Outer(); !ok || c.attribute.Encrypt != 0 {
		d.note(text.node, text.key, "attribute %q is encrypted or lies inside another: it can't be read", text.attribute)
		return c, false
	}
	if (text.grammar != "") != (about == targetVLANs) {
		d.note(text.node, text.key, "a grammar belongs to each of line.vlans, and to nothing else")
		return c, false
	}
	c.grammar = vlanGrammars()[text.grammar]
	c.name = strings.TrimSpace(text.attribute + " " + strings.TrimRight(text.prefix, "="))
	return c, true
}

// fieldsOf says which fields a statement may name.
type fieldsOf uint8

const (
	grantFields fieldsOf = 1 << iota
	sessionFields
)

// statements compiles a list of them.
func (d *definition) statements(names *dictionary.Dictionary, items []entry, allowed fieldsOf) (compiled []statement) {
	for _, item := range items {
		text := d.reader.text(item)
		s, err := compile(names, text, d.short != nil && *d.short)
		if err != nil {
			d.note(item.node, item.key, "%v", err)
			continue
		}
		for _, p := range s.parts {
			if p.field == 0 {
				continue
			}
			of := grantFields
			if fieldTable[p.field].ofSession {
				of = sessionFields
			}
			if allowed&of == 0 {
				d.note(item.node, item.key, "field {%s} has no value here", fieldTable[p.field].name)
			}
		}
		compiled = append(compiled, s)
	}
	return compiled
}

// compileChange reads a change's items: topics of the grant by their keys, and
// statements.
func (d *definition) compileChange(names *dictionary.Dictionary, text *phraseText) change {
	c := change{disconnect: text.disconnect, unsupported: text.unsupported}
	var statements []entry
	for _, item := range text.items {
		if strings.Contains(item.node.Value, "=") {
			statements = append(statements, item)
		} else if t, known := topicNamed(d.reader.text(item)); known {
			c.topics, c.says[t] = append(c.topics, t), true
		} else {
			d.note(item.node, item.key, "%q is not allowed: a statement, a key of grant, or disconnect alone", item.node.Value)
		}
	}
	c.statements = d.statements(names, statements, grantFields|sessionFields)
	for _, s := range c.statements {
		for _, p := range s.parts {
			if p.field != 0 && !fieldTable[p.field].ofSession {
				c.says[fieldTable[p.field].topic] = true
			}
		}
	}
	return c
}
