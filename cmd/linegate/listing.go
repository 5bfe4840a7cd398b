package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
)

// listing shows records one after the other, without keeping them.
type listing interface {
	add(record) error
	// close writes what is still to be written. It is not called after an error.
	close() error
}

// newListing returns a listing in the chosen format. columns names the properties
// that a table has room for, in the records' order; the other formats show all of
// them.
func newListing(out io.Writer, format outputFormat, columns ...string) listing {
	switch format {
	case formatJSON:
		return &jsonListing{out: out}
	case formatYAML:
		return &yamlListing{out: out}
	}
	l := &tableListing{columns: columns, rows: tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)}
	fmt.Fprintln(l.rows, strings.ToUpper(strings.Join(columns, "\t")))
	return l
}

type tableListing struct {
	columns []string
	rows    *tabwriter.Writer
	added   int
}

// tablePage is how many rows are laid out together: a long table may change its
// widths, but never fills the memory.
const tablePage = 1000

func (l *tableListing) add(r record) error {
	cells := make([]string, 0, len(l.columns))
	for _, p := range r {
		if slices.Contains(l.columns, p.name) {
			cells = append(cells, cell(p.value))
		}
	}
	if l.added++; l.added%tablePage == 0 {
		if err := l.rows.Flush(); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintln(l.rows, strings.Join(cells, "\t"))
	return err
}

func (l *tableListing) close() error { return l.rows.Flush() }

type jsonListing struct {
	out     io.Writer
	started bool
}

func (l *jsonListing) add(r record) error {
	text, err := marshalJSON(r)
	if err != nil {
		return err
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, text, "  ", "  "); err != nil {
		return err
	}
	opening := ",\n  "
	if !l.started {
		l.started, opening = true, "[\n  "
	}
	_, err = fmt.Fprint(l.out, opening, indented.String())
	return err
}

func (l *jsonListing) close() error {
	ending := "\n]\n"
	if !l.started {
		ending = "[]\n"
	}
	_, err := fmt.Fprint(l.out, ending)
	return err
}

type yamlListing struct {
	out     io.Writer
	started bool
}

func (l *yamlListing) add(r record) error {
	l.started = true
	return writeYAML(l.out, []record{r})
}

func (l *yamlListing) close() error {
	if l.started {
		return nil
	}
	return writeYAML(l.out, []record{})
}
