package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/fatih/color"
	"go.yaml.in/yaml/v3"
	"golang.org/x/term"

	"linegate"
)

// outputFormat is the value of --output.
type outputFormat string

const (
	formatTable outputFormat = "table"
	formatJSON  outputFormat = "json"
	formatYAML  outputFormat = "yaml"
)

var outputFormats = []string{string(formatTable), string(formatJSON), string(formatYAML)}

func (f *outputFormat) String() string { return string(*f) }
func (f *outputFormat) Type() string   { return "format" }

func (f *outputFormat) Set(text string) error {
	if !slices.Contains(outputFormats, text) {
		return fmt.Errorf("allowed: %s", strings.Join(outputFormats, ", "))
	}
	*f = outputFormat(text)
	return nil
}

// property is one named value of a record; the name is in snake_case.
type property struct {
	name  string
	value any
}

// record is one thing to show, its properties in order: a row of a table, or an
// object in JSON and YAML.
type record []property

// MarshalJSON writes an object with the properties in their order.
func (r record) MarshalJSON() ([]byte, error) {
	var object bytes.Buffer
	object.WriteByte('{')
	for i, p := range r {
		if i > 0 {
			object.WriteByte(',')
		}
		value, err := marshalJSON(p.value)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.name, err)
		}
		fmt.Fprintf(&object, "%q:%s", p.name, value)
	}
	object.WriteByte('}')
	return object.Bytes(), nil
}

// marshalJSON is json.Marshal for a terminal, not a web page: <, > and & stay.
// Values that are not set are null.
func marshalJSON(value any) ([]byte, error) {
	if at, isTime := value.(time.Time); isTime && at.IsZero() {
		return []byte("null"), nil
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(value)
	return bytes.TrimSpace(text.Bytes()), err
}

// cell is how a value stands in a table; one that is not set leaves it empty.
// What came from the network may hold anything, so what can't be printed is
// quoted.
func cell(value any) string {
	text := ""
	switch v := value.(type) {
	case nil:
	case time.Time:
		if !v.IsZero() {
			text = v.UTC().Format(time.RFC3339)
		}
	case netip.Addr:
		if v.IsValid() {
			text = v.String()
		}
	case netip.Prefix:
		if v.IsValid() {
			text = v.String()
		}
	case linegate.VLAN:
		if v != 0 {
			text = fmt.Sprint(v)
		}
	case bool:
		if v {
			text = "yes"
		}
	case []linegate.FieldChange:
		text = changesText(v)
	case []string:
		text = strings.Join(v, ",")
	default:
		text = fmt.Sprint(v)
	}
	if strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return strconv.Quote(text)
	}
	return text
}

// changesText puts a diff on one line.
func changesText(changes []linegate.FieldChange) string {
	parts := make([]string, len(changes))
	for i, change := range changes {
		parts[i] = change.Field + " " + changeText(change)
	}
	return strings.Join(parts, ", ")
}

func changeText(change linegate.FieldChange) string {
	show := func(text string) string {
		if text == "" {
			return "(none)"
		}
		return text
	}
	return show(change.Old) + " -> " + show(change.New)
}

// show writes one record: a line for each property that is set, or an object.
func show(out io.Writer, format outputFormat, r record) error {
	switch format {
	case formatJSON:
		return writeJSON(out, r)
	case formatYAML:
		return writeYAML(out, r)
	}
	lines := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, p := range r {
		if text := cell(p.value); text != "" {
			fmt.Fprintf(lines, "%s\t%s\n", p.name, text)
		}
	}
	return lines.Flush()
}

// writeJSON writes a value with a line for each of its parts.
func writeJSON(out io.Writer, value any) error {
	text, err := marshalJSON(value)
	if err != nil {
		return err
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, text, "", "  "); err != nil {
		return err
	}
	_, err = fmt.Fprintln(out, indented.String())
	return err
}

// writeYAML writes what JSON would hold, in YAML's block style.
func writeYAML(out io.Writer, value any) error {
	text, err := marshalJSON(value)
	if err != nil {
		return err
	}
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		return err
	}
	blockStyle(&document)
	encoder := yaml.NewEncoder(out)
	encoder.SetIndent(2)
	if err := encoder.Encode(&document); err != nil {
		return err
	}
	return encoder.Close()
}

// blockStyle makes a node read as YAML is usually written; empty lists and
// mappings keep their brackets.
func blockStyle(node *yaml.Node) {
	if node.Kind == yaml.ScalarNode || len(node.Content) > 0 {
		node.Style = 0
	}
	for _, child := range node.Content {
		blockStyle(child)
	}
}

// paintOutcome pads an outcome and colours it on a terminal.
func paintOutcome(out io.Writer, outcome linegate.Outcome) string {
	text := fmt.Sprintf("%-9s", outcome)
	paint := map[linegate.Outcome]color.Attribute{
		linegate.Created: color.FgGreen, linegate.Changed: color.FgYellow, linegate.Deleted: color.FgRed,
	}
	if attribute, coloured := paint[outcome]; coloured && isTerminal(out) {
		return color.New(attribute).Sprint(text)
	}
	return text
}

// isTerminal reports whether a person sits at the other end of a stream.
func isTerminal(stream any) bool {
	file, isFile := stream.(*os.File)
	return isFile && term.IsTerminal(int(file.Fd()))
}
