package dialect

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"linegate"
)

// definition is what a dialect file says, before attributes are looked up. nil
// parts are taken from the base.
type definition struct {
	reader
	name, about, base, text string

	carriers [targetCount][]carrierText
	phrases  [topicCount]*phraseText
	identity []entry
	changes  map[linegate.ChangeKind]*phraseText
	short    *bool // prefixes end with their last octet that counts
	port     *uint16
	signed   *bool
	dated    *bool
}

// carrierText is a carrier as it is written.
type carrierText struct {
	entry
	attribute, prefix, form, grammar string
}

// phraseText is a list of statements, or why there are none.
type phraseText struct {
	items       []entry
	unsupported string
	disconnect  bool // of a change: by a Disconnect-Request
}

// readDefinition reads a dialect file. What is wrong is in its problems.
func readDefinition(name, file string, text []byte) *definition {
	d := &definition{reader: reader{file: file}, name: name, text: string(text), changes: map[linegate.ChangeKind]*phraseText{}}
	root := d.document(text)
	if root == nil {
		return d
	}
	for _, e := range d.mapping(root, "", "about", "base", "line", "grant", "prefix_octets", "identity", "change", "coa") {
		switch e.last {
		case "about":
			d.about = d.reader.text(e)
		case "base":
			d.base = d.reader.text(e)
		case "line":
			d.readLine(e.node)
		case "grant":
			d.readGrant(e.node)
		case "prefix_octets":
			short := d.choice(e, "full", "minimal") == "minimal"
			d.short = &short
		case "identity":
			d.identity = d.list(e)
		case "change":
			d.readChanges(e.node)
		case "coa":
			d.readCoA(e.node)
		}
	}
	return d
}

// targetKeys are the keys of a line, by target.
var targetKeys = [targetCount]string{"circuit_id", "remote_id", "mac", "vlans"}

func (d *definition) readLine(node *yaml.Node) {
	for _, e := range d.mapping(node, "line", targetKeys[:]...) {
		about := target(slices.Index(targetKeys[:], e.last))
		d.carriers[about] = []carrierText{}
		for _, item := range d.list(e) {
			d.carriers[about] = append(d.carriers[about], d.readCarrier(item))
		}
	}
}

// readCarrier reads an attribute's name, or a mapping with the name and how the
// value stands in it.
func (d *definition) readCarrier(item entry) carrierText {
	c := carrierText{entry: item, form: "octets"}
	if item.node.Kind == yaml.ScalarNode {
		c.attribute = item.node.Value
		return c
	}
	for _, e := range d.mapping(item.node, item.key, "attribute", "prefix", "form", "grammar") {
		switch e.last {
		case "attribute":
			c.attribute = d.reader.text(e)
		case "prefix":
			c.prefix = d.reader.text(e)
		case "form":
			c.form = d.choice(e, slices.Sorted(maps.Keys(formNames()))...)
		case "grammar":
			c.grammar = d.choice(e, slices.Sorted(maps.Keys(vlanGrammars()))...)
		}
	}
	return c
}

func (d *definition) readGrant(node *yaml.Node) {
	var keys []string
	for _, info := range topicTable {
		keys = append(keys, info.key)
	}
	for _, e := range d.mapping(node, "grant", keys...) {
		t, _ := topicNamed(e.last)
		d.phrases[t] = d.readPhrase(e, "unsupported")
	}
}

func (d *definition) readChanges(node *yaml.Node) {
	var keys []string
	for _, kind := range linegate.ChangeKinds() {
		keys = append(keys, string(kind))
	}
	for _, e := range d.mapping(node, "change", keys...) {
		phrase := d.readPhrase(e, "unsupported")
		if len(phrase.items) == 1 && phrase.items[0].node.Value == "disconnect" {
			phrase = &phraseText{disconnect: true}
		}
		d.changes[linegate.ChangeKind(e.last)] = phrase
	}
}

// readPhrase reads statements, or a mapping that says why there are none.
func (d *definition) readPhrase(e entry, why string) *phraseText {
	if e.node.Kind != yaml.MappingNode {
		return &phraseText{items: d.list(e)}
	}
	phrase := &phraseText{}
	for _, reason := range d.mapping(e.node, e.key, why) {
		phrase.unsupported = strings.TrimSpace(d.reader.text(reason))
	}
	if phrase.unsupported == "" {
		d.note(e.node, e.key, "a list of statements, or unsupported with the reason is expected")
	}
	return phrase
}

func (d *definition) readCoA(node *yaml.Node) {
	for _, e := range d.mapping(node, "coa", "port", "message_authenticator", "event_timestamp") {
		if e.last == "port" {
			port, err := strconv.ParseUint(d.reader.text(e), 10, 16)
			if err != nil || port == 0 {
				d.note(e.node, e.key, "%q is not allowed: 1 to 65535", e.node.Value)
			}
			wide := uint16(port)
			d.port = &wide
			continue
		}
		on := d.choice(e, "true", "false") == "true"
		if e.last == "message_authenticator" {
			d.signed = &on
		} else {
			d.dated = &on
		}
	}
}

// inherit takes over what the definition leaves open.
func (d *definition) inherit(base *definition) {
	for i := range d.carriers {
		if d.carriers[i] == nil {
			d.carriers[i] = base.carriers[i]
		}
	}
	for i := range d.phrases {
		if d.phrases[i] == nil {
			d.phrases[i] = base.phrases[i]
		}
	}
	for kind, phrase := range base.changes {
		if d.changes[kind] == nil {
			d.changes[kind] = phrase
		}
	}
	if d.identity == nil {
		d.identity = base.identity
	}
	orBase(&d.short, base.short)
	orBase(&d.port, base.port)
	orBase(&d.signed, base.signed)
	orBase(&d.dated, base.dated)
}

func orBase[T any](own **T, base *T) {
	if *own == nil {
		*own = base
	}
}
