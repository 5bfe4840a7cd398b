package postgres

import (
	"encoding"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"linegate/store/column"

	"github.com/jackc/pgx/v5/pgtype"
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

// writeSessions is updateRows for sessions that nobody else has written: the last values
// of a row are the version that it gets, and the id.
func writeSessions(columns string, rows [][]any) statement {
	written := updateRows("sessions", columns+", version", rows)
	written.query += " AND sessions.version = v.version - 1"
	return written
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

// ScanText implements pgtype.TextScanner.
func (c textColumn) ScanText(value pgtype.Text) error {
	stored, err := untold(value)
	if err != nil {
		return err
	}
	return c.into.UnmarshalText([]byte(stored))
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

// errNull tells of a column that should never be NULL.
var errNull = errors.New("column holds NULL")

// untold returns what told was given.
func untold(value pgtype.Text) (string, error) {
	if !value.Valid {
		return "", errNull
	}
	digits, marked := strings.CutPrefix(value.String, hexMark)
	if !marked {
		return value.String, nil
	}
	octets, err := hex.DecodeString(digits)
	return string(octets), err
}

// toldColumn reads what told wrote.
type toldColumn struct{ into *string }

// ScanText implements pgtype.TextScanner.
func (c toldColumn) ScanText(value pgtype.Text) (err error) {
	*c.into, err = untold(value)
	return err
}

// timeColumn reads what column.Micros wrote, and counterColumn an unsigned counter. The
// readers of package column would do, by way of a boxed value for each column.
type (
	timeColumn    struct{ into *time.Time }
	counterColumn struct{ into *uint64 }
)

// ScanInt64 implements pgtype.Int64Scanner.
func (c timeColumn) ScanInt64(value pgtype.Int8) error {
	if !value.Valid {
		return errNull
	}
	*c.into = column.FromMicros(value.Int64)
	return nil
}

// ScanInt64 implements pgtype.Int64Scanner.
func (c counterColumn) ScanInt64(value pgtype.Int8) error {
	if !value.Valid {
		return errNull
	}
	*c.into = uint64(value.Int64)
	return nil
}
