package postgres

import (
	"encoding"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"linegate/store/column"
)

// scanner is a pgx.Row or pgx.Rows.
type scanner interface{ Scan(columns ...any) error }

// statement is a query and its arguments.
type statement struct {
	query string
	args  []any
}

// insertRows writes rows in one statement; columns are parted by commas.
func insertRows(table, columns string, rows [][]any) statement {
	source, arrays := unnest(rows)
	return statement{"INSERT INTO " + table + " (" + columns + ") SELECT * FROM " + source, arrays}
}

// updateRows sets columns of rows in one statement; the last value of a row is the
// id of the one to change.
func updateRows(table, columns string, rows [][]any) statement {
	source, arrays := unnest(rows)
	values := "v." + strings.ReplaceAll(columns, ", ", ", v.")
	return statement{"UPDATE " + table + " SET (" + columns + ") = ROW(" + values + ") FROM " + source +
		" AS v (" + columns + ", row_id) WHERE " + table + ".id = v.row_id", arrays}
}

// unnest is rows as an item of FROM, with an array for each column. All rows hold
// the same types: string, int64, bool and []byte.
func unnest(rows [][]any) (item string, arrays []any) {
	kinds := make([]string, len(rows[0]))
	for i, first := range rows[0] {
		var kind string
		var array any
		switch first.(type) {
		case string:
			kind, array = "text", columnOf[string](rows, i)
		case int64:
			kind, array = "int8", columnOf[int64](rows, i)
		case bool:
			kind, array = "bool", columnOf[bool](rows, i)
		case []byte:
			kind, array = "bytea", columnOf[[]byte](rows, i)
		}
		kinds[i], arrays = "$"+strconv.Itoa(i+1)+"::"+kind+"[]", append(arrays, array)
	}
	return "unnest(" + strings.Join(kinds, ", ") + ")", arrays
}

func columnOf[T any](rows [][]any, i int) []T {
	column := make([]T, len(rows))
	for n, row := range rows {
		column[n] = row[i].(T)
	}
	return column
}

// text is what column.Text writes; a list may hold what somebody told us.
func text(value encoding.TextMarshaler) string { return told(column.Text(value)) }

// textColumn reads what text wrote.
type textColumn struct{ into encoding.TextUnmarshaler }

func (c textColumn) Scan(value any) error {
	var stored string
	if err := (toldColumn{&stored}).Scan(value); err != nil {
		return err
	}
	return column.ReadText(c.into).Scan(stored)
}

// hexMark begins a text that stands for octets which a text column can't hold.
const hexMark = `\x`

// told is what somebody told us (a username, an Acct-Session-Id) as a text column
// holds it. Equal texts stay equal and different ones different.
func told(text string) string {
	if utf8.ValidString(text) && !strings.Contains(text, "\x00") && !strings.HasPrefix(text, hexMark) {
		return text
	}
	return hexMark + hex.EncodeToString([]byte(text))
}

// toldColumn reads what told wrote.
type toldColumn struct{ into *string }

func (c toldColumn) Scan(value any) error {
	stored, ok := value.(string)
	if !ok {
		return fmt.Errorf("text column holds %T", value)
	}
	digits, marked := strings.CutPrefix(stored, hexMark)
	if !marked {
		*c.into = stored
		return nil
	}
	octets, err := hex.DecodeString(digits)
	*c.into = string(octets)
	return err
}
