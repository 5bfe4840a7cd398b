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
	failure error
	csvRow  // that next went to
}

// csvRow is one row, with the line of each cell.
type csvRow struct {
	cells []string
	lines []int
	fault string // not empty: what is wrong with the row as a whole; it has no cells then
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
	return t.found.Len() == before
}

// next goes to the next row that has as many cells as the header; others are
// noted. It returns false at the end, and when reading failed (err).
func (t *subscriberCSV) next() bool {
	for {
		row, more := t.read()
		if !more {
			return false
		}
		if row.fault == "" {
			t.csvRow = row
			return true
		}
		t.found.Add(row.line(), "%s", row.fault)
	}
}

// page reads the next rows, faulty ones included, and notes nothing yet: the
// caller does that in their order. It is empty at the end, and when reading failed.
func (t *subscriberCSV) page(most int) (rows []csvRow) {
	for len(rows) < most {
		row, more := t.read()
		if !more {
			break
		}
		rows = append(rows, row)
	}
	return rows
}

// read returns the next row, and false at the end or when reading failed.
func (t *subscriberCSV) read() (row csvRow, more bool) {
	cells, err := t.rows.Read()
	var malformed *csv.ParseError
	switch {
	case err == nil:
		row = csvRow{cells: cells, lines: make([]int, len(cells))}
		for i := range cells {
			row.lines[i], _ = t.rows.FieldPos(i)
		}
		return row, true
	case errors.Is(err, csv.ErrFieldCount):
		line, _ := t.rows.FieldPos(0)
		return csvRow{lines: []int{line}, fault: fmt.Sprintf("row: %q is not allowed: %d cells, as many as the header has",
			fmt.Sprint(len(cells), " cells"), len(t.columns))}, true
	case errors.As(err, &malformed):
		return csvRow{lines: []int{malformed.StartLine}, fault: fmt.Sprintf("row: not CSV: %v (line %d, column %d)",
			malformed.Err, malformed.Line, malformed.Column)}, true
	case !errors.Is(err, io.EOF):
		t.failure = err
	}
	return csvRow{}, false
}

// err returns what kept the file from being read to its end.
func (t *subscriberCSV) err() error { return t.failure }

// line is where the row begins.
func (r csvRow) line() int { return r.lines[0] }

// into sets what the row that next went to says on a subscriber. A password that is left empty
// stays; any other empty cell restores the default. Cells that are not allowed are
// noted.
func (t *subscriberCSV) into(subscriber *linegate.Subscriber) { t.set(t.csvRow, subscriber) }

// set is into for any row.
func (t *subscriberCSV) set(row csvRow, subscriber *linegate.Subscriber) {
	for i, field := range t.columns {
		if field.Name == "password" && row.cells[i] == "" {
			continue
		}
		// A cell is a part of its row's text: copied, so as not to keep all of it.
		err := field.Set(subscriber, strings.Clone(row.cells[i]))
		t.found.AddFields(row.lines[i], "", err)
	}
}
