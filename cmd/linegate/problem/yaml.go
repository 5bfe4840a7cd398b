package problem

import (
	"bytes"
	"cmp"
	"errors"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Value is a place in a YAML document: a scalar, a list or a mapping.
type Value struct{ node *yaml.Node }

// Entry is one key of a mapping.
type Entry struct {
	Key   string
	Line  int // of the key
	Value Value
}

// yamlLine finds the place in the parser's messages.
var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)$`)

// ParseYAML reads one document. An empty text is an empty mapping. What can't be
// read is noted in l, with ok false.
func ParseYAML(text []byte, l *List) (document Value, ok bool) {
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	var root, second yaml.Node
	err := decoder.Decode(&root)
	if errors.Is(err, io.EOF) {
		return Value{&yaml.Node{Kind: yaml.MappingNode}}, true
	}
	if err == nil {
		if err = decoder.Decode(&second); errors.Is(err, io.EOF) {
			return Value{root.Content[0]}, true
		}
		if err == nil {
			l.Add(second.Line, "a second YAML document starts here; only one is allowed")
			return Value{}, false
		}
	}
	parts := yamlLine.FindStringSubmatch(err.Error())
	if parts == nil {
		parts = []string{"", "", err.Error()}
	}
	line, _ := strconv.Atoi(parts[1])
	l.Add(line, "not YAML: %s", parts[2])
	return Value{}, false
}

// resolve follows an alias to what it stands for.
func (v Value) resolve() *yaml.Node {
	if v.node.Kind == yaml.AliasNode {
		return v.node.Alias
	}
	return v.node
}

// Line is where the value begins.
func (v Value) Line() int { return v.node.Line }

// Null reports whether the value was left out or written as null.
func (v Value) Null() bool {
	n := v.resolve()
	return n.Kind == yaml.ScalarNode && n.Tag == "!!null"
}

// Entries returns the keys of a mapping in their order. Keys that are not known
// or come twice are noted in l and left out; prefix is the path to the mapping. A
// null is an empty mapping; any other value is noted.
func (v Value) Entries(l *List, prefix string, known []string) []Entry {
	n := v.resolve()
	if v.Null() {
		return nil
	}
	if n.Kind != yaml.MappingNode {
		l.Add(v.Line(), "%s: keys with values are expected (known here: %s)",
			cmp.Or(strings.TrimSuffix(prefix, "."), "document"), strings.Join(known, ", "))
		return nil
	}
	seen := map[string]int{}
	var entries []Entry
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		first, twice := seen[key.Value]
		switch {
		case twice:
			l.Add(key.Line, "%s%s: given twice, first on line %d", prefix, key.Value, first)
		case !slices.Contains(known, key.Value):
			l.Unknown(key.Line, "key", prefix, key.Value, known)
		default:
			entries = append(entries, Entry{key.Value, key.Line, Value{n.Content[i+1]}})
		}
		if !twice {
			seen[key.Value] = key.Line
		}
	}
	return entries
}

// List returns the items of a list; a null has none and a single value is a list
// of one.
func (v Value) List() []Value {
	n := v.resolve()
	if v.Null() {
		return nil
	}
	if n.Kind != yaml.SequenceNode {
		return []Value{v}
	}
	items := make([]Value, len(n.Content))
	for i, item := range n.Content {
		items[i] = Value{item}
	}
	return items
}

// Scalar returns the text of a single value, as written; a null is empty. ok is
// false for lists and mappings.
func (v Value) Scalar() (text string, ok bool) {
	n := v.resolve()
	if n.Kind != yaml.ScalarNode {
		return "", false
	}
	if v.Null() {
		return "", true
	}
	return n.Value, true
}
