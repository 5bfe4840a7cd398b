// Package column is how values that are not text, numbers or octets by themselves
// stand in a column of any engine: a function that writes and one that reads.
package column

import (
	"database/sql"
	"encoding"
	"fmt"
	"time"

	"linegate"
)

// Micros is a time in microseconds since 1970; the zero time is 0.
func Micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// ReadMicros reads what Micros wrote, in UTC.
func ReadMicros(into *time.Time) sql.Scanner { return micros{into} }

type micros struct{ into *time.Time }

func (c micros) Scan(value any) error {
	stored, ok := value.(int64)
	if !ok {
		return fmt.Errorf("time column holds %T", value)
	}
	*c.into = FromMicros(stored)
	return nil
}

// FromMicros is the time that Micros was given, in UTC.
func FromMicros(stored int64) time.Time {
	if stored == 0 {
		return time.Time{}
	}
	return time.UnixMicro(stored).UTC()
}

// Seconds is a duration in whole seconds.
func Seconds(d time.Duration) int64 { return int64(d / time.Second) }

// ReadSeconds reads what Seconds wrote.
func ReadSeconds(into *time.Duration) sql.Scanner { return seconds{into} }

type seconds struct{ into *time.Duration }

func (c seconds) Scan(value any) error {
	stored, ok := value.(int64)
	if !ok {
		return fmt.Errorf("duration column holds %T", value)
	}
	*c.into = time.Duration(stored) * time.Second
	return nil
}

// Text is an address, prefix, MAC or list as text; none is empty. None of those
// types ever fails to be written.
func Text(value encoding.TextMarshaler) string {
	written, err := value.MarshalText()
	if err != nil {
		return ""
	}
	return string(written)
}

// ReadText reads what Text wrote.
func ReadText(into encoding.TextUnmarshaler) sql.Scanner { return text{into} }

type text struct{ into encoding.TextUnmarshaler }

func (c text) Scan(value any) error {
	stored, ok := value.(string)
	if !ok {
		return fmt.Errorf("text column holds %T", value)
	}
	return c.into.UnmarshalText([]byte(stored))
}

// ReadOctets reads octets, which are written as []byte.
func ReadOctets(into *linegate.Octets) sql.Scanner { return octets{into} }

type octets struct{ into *linegate.Octets }

func (c octets) Scan(value any) error {
	stored, ok := value.([]byte)
	if !ok {
		return fmt.Errorf("octets column holds %T", value)
	}
	*c.into = linegate.Octets(stored)
	return nil
}

// ReadCounter reads an unsigned counter, which is written as the int64 with the same
// bits.
func ReadCounter(into *uint64) sql.Scanner { return counter{into} }

type counter struct{ into *uint64 }

func (c counter) Scan(value any) error {
	stored, ok := value.(int64)
	if !ok {
		return fmt.Errorf("counter column holds %T", value)
	}
	*c.into = uint64(stored)
	return nil
}
