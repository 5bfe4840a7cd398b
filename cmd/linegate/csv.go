package main

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"linegate"
	"linegate/cmd/linegate/problem"
)

// subscriberCSV reads subscribers from a CSV file (RFC 4180) row by row, and notes
// every cell that is not allowed. Its header names the columns, in any order.
type subscriberCSV struct {
	rows    *csv.Reader
	columns []linegate.Field
	name    int // which column is the username
	found   *problem.List
	cells   []string
	failure error
}

// byteOrderMark is what some spreadsheets put before UTF-8.
var byteOrderMark = []byte("\uFEFF")

// readSubscriberCSV reads the header. What is wrong with it is noted in found, with ok false.
func readSubscriberCSV(source io.Reader, found *problem.List) (table *subscriberCSV, ok bool) {
	buffered := bufio.NewReader(source)
	if start, _ := buffered.Peek(len(byteOrderMark)); bytes.Equal(start, byteOrderMark) {
		_, _ = buffered.Discard(len(byteOrderMark)) // what was peeked at is there
	}
	rows := csv.NewReader(buffered)
	header, err := rows.Read()
	if err != nil {
		found.Add(1, "header: %v", headerError(err))
		return nil, false
	}
	table = &subscriberCSV{rows: rows, found: found}
	return table, table.readHeader(header)
}

func headerError(err error) error {
	if errors.Is(err, io.EOF) {
		return errors.New("the file is empty; its first line names the columns, username at least")
	}
	return err
}

func (t *subscriberCSV) readHeader(header []string) bool {
	fields := linegate.Fields()
	known := make([]string, len(fields))
	for i, field := range fields {
		known[i] = field.Name
	}
	before := t.found.Len()
	for i, name := range header {
		at := slices.Index(known, name)
		switch {
		case at < 0:
			t.found.Unknown(1, "column", "", name, known)
			continue
		case slices.Contains(header[:i], name):
			t.found.Add(1, "%s: the column is there twice", name)
			continue
		case name == "username":
			t.name = i
		}
		t.columns = append(t.columns, fields[at])
	}
	if !slices.Contains(header, "username") {
		t.found.Add(1, "username: the column is missing; it is the one that every file needs")
	}
	t.rows.ReuseRecord = true
	return t.found.Len() == before
}

// next goes to the next row that has as many cells as the header; others are
// noted. It returns false at the end, and when reading failed (err).
func (t *subscriberCSV) next() bool {
	for {
		cells, err := t.rows.Read()
		var malformed *csv.ParseError
		switch {
		case err == nil:
			t.cells = cells
			return true
		case errors.Is(err, csv.ErrFieldCount):
			t.found.Add(t.lineOf(0), "row: %q is not allowed: %d cells, as many as the header has", fmt.Sprint(len(cells), " cells"), len(t.columns))
		case errors.As(err, &malformed):
			t.found.Add(malformed.StartLine, "row: not CSV: %v (line %d, column %d)", malformed.Err, malformed.Line, malformed.Column)
		case errors.Is(err, io.EOF):
			return false
		default:
			t.failure = err
			return false
		}
	}
}

// err returns what kept the file from being read to its end.
func (t *subscriberCSV) err() error { return t.failure }

// username is the name in the row; it is valid only until next.
func (t *subscriberCSV) username() string { return t.cells[t.name] }

// line is where the row begins.
func (t *subscriberCSV) line() int { return t.lineOf(0) }

func (t *subscriberCSV) lineOf(column int) int {
	line, _ := t.rows.FieldPos(column)
	return line
}

// into sets what the row says on a subscriber. A password that is left empty
// stays; any other empty cell restores the default. Cells that are not allowed are
// noted.
func (t *subscriberCSV) into(subscriber *linegate.Subscriber) {
	for i, field := range t.columns {
		if field.Name == "password" && t.cells[i] == "" {
			continue
		}
		// A cell is a part of its row's text: copied, so as not to keep all of it.
		err := field.Set(subscriber, strings.Clone(t.cells[i]))
		t.found.AddFields(t.lineOf(i), "", err)
	}
}
