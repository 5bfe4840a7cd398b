package sqlite

import (
	"encoding"
	"fmt"
	"strings"
	"time"

	"linegate"
)

// scanner is a *sql.Row or *sql.Rows.
type scanner interface{ Scan(columns ...any) error }

// insertInto writes one row; columns are parted by commas.
func insertInto(table, columns string) string {
	return "INSERT INTO " + table + " (" + columns + ") VALUES (" + marks(columns) + ")"
}

// updateByID sets the columns of the row whose id follows their values.
func updateByID(table, columns string) string {
	return "UPDATE " + table + " SET (" + columns + ") = (" + marks(columns) + ") WHERE id = ?"
}

// marks returns a placeholder for each column.
func marks(columns string) string { return "?" + strings.Repeat(", ?", strings.Count(columns, ",")) }

// micros is a time as a column holds it: the zero time is 0.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// timeColumn reads what micros wrote.
type timeColumn struct{ into *time.Time }

func (c timeColumn) Scan(value any) error {
	stored, ok := value.(int64)
	if !ok {
		return fmt.Errorf("time column holds %T", value)
	}
	*c.into = time.Time{}
	if stored != 0 {
		*c.into = time.UnixMicro(stored).UTC()
	}
	return nil
}

// seconds is a duration as a column holds it.
func seconds(d time.Duration) int64 { return int64(d / time.Second) }

// secondsColumn reads what seconds wrote.
type secondsColumn struct{ into *time.Duration }

func (c secondsColumn) Scan(value any) error {
	stored, ok := value.(int64)
	if !ok {
		return fmt.Errorf("duration column holds %T", value)
	}
	*c.into = time.Duration(stored) * time.Second
	return nil
}

// text is an address, prefix or MAC as a column holds it; none is empty. None of
// those types ever fails to be written.
func text(value encoding.TextMarshaler) string {
	written, err := value.MarshalText()
	if err != nil {
		return ""
	}
	return string(written)
}

// textColumn reads what text wrote.
type textColumn struct{ into encoding.TextUnmarshaler }

func (c textColumn) Scan(value any) error {
	stored, ok := value.(string)
	if !ok {
		return fmt.Errorf("text column holds %T", value)
	}
	return c.into.UnmarshalText([]byte(stored))
}

// octetsColumn reads octets from a BLOB, which is written from []byte.
type octetsColumn struct{ into *linegate.Octets }

func (c octetsColumn) Scan(value any) error {
	stored, ok := value.([]byte)
	if !ok {
		return fmt.Errorf("octets column holds %T", value)
	}
	*c.into = linegate.Octets(stored)
	return nil
}

// counterColumn reads an unsigned counter, which is written as the int64 with the
// same bits.
type counterColumn struct{ into *uint64 }

func (c counterColumn) Scan(value any) error {
	stored, ok := value.(int64)
	if !ok {
		return fmt.Errorf("counter column holds %T", value)
	}
	*c.into = uint64(stored)
	return nil
}
