package dialect

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// reader walks a YAML document and notes everything that is wrong, with file, line
// and key.
type reader struct {
	file     string
	problems []error
}

// entry is one key of a mapping.
type entry struct {
	key  string // with the path that leads to it
	last string // the key alone
	node *yaml.Node
}

func (r *reader) note(node *yaml.Node, key, format string, args ...any) {
	r.problems = append(r.problems, fmt.Errorf("%s:%d: %s: %s", r.file, node.Line, key, fmt.Sprintf(format, args...)))
}

// document reads the one document of a file; nil when it can't be read.
func (r *reader) document(text []byte) *yaml.Node {
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	var root, second yaml.Node
	err := decoder.Decode(&root)
	switch {
	case errors.Is(err, io.EOF):
		err = errors.New("the file is empty")
	case err == nil && !errors.Is(decoder.Decode(&second), io.EOF):
		err = errors.New("more than one YAML document")
	}
	if err != nil {
		r.problems = append(r.problems, fmt.Errorf("%s: %s", r.file, strings.TrimPrefix(err.Error(), "yaml: ")))
		return nil
	}
	return root.Content[0]
}

// mapping returns the entries of a mapping, in their order. Keys that are unknown or
// come twice are noted and left out.
func (r *reader) mapping(node *yaml.Node, path string, known ...string) (entries []entry) {
	node = resolve(node)
	if node.Kind != yaml.MappingNode {
		r.note(node, orDocument(path), "keys with values are expected: %s", strings.Join(known, ", "))
		return nil
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key := node.Content[i]
		full := strings.TrimPrefix(path+"."+key.Value, ".")
		switch {
		case seen[key.Value]:
			r.note(key, full, "given twice")
		case !slices.Contains(known, key.Value):
			r.note(key, full, "unknown key; known here: %s", strings.Join(known, ", "))
		default:
			entries = append(entries, entry{full, key.Value, resolve(node.Content[i+1])})
		}
		seen[key.Value] = true
	}
	return entries
}

func orDocument(path string) string {
	if path == "" {
		return "document"
	}
	return path
}

// resolve follows an alias to what it stands for.
func resolve(node *yaml.Node) *yaml.Node {
	if node.Kind == yaml.AliasNode {
		return node.Alias
	}
	return node
}

// text returns a single value.
func (r *reader) text(e entry) string {
	if e.node.Kind != yaml.ScalarNode {
		r.note(e.node, e.key, "a single value is expected")
		return ""
	}
	return e.node.Value
}

// list returns the items of a list; a single value is a list of one.
func (r *reader) list(e entry) []entry {
	if e.node.Kind != yaml.SequenceNode {
		return []entry{e}
	}
	items := make([]entry, len(e.node.Content))
	for i, node := range e.node.Content {
		items[i] = entry{e.key, e.last, resolve(node)}
	}
	return items
}

// choice returns which of the words a value is.
func (r *reader) choice(e entry, words ...string) string {
	text := r.text(e)
	if !slices.Contains(words, text) {
		r.note(e.node, e.key, "%q is not allowed: %s", text, strings.Join(words, ", "))
	}
	return text
}
