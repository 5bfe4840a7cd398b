package spool

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"time"

	"linegate"
)

// maxRecord bounds one encoded event, in octets. An event comes from a packet of
// at most 4,096 (RFC 2865 section 3).
const maxRecord = 64 << 10

var errRecord = errors.New("record is not an accounting event")

// visit passes every field of an event to the coder. The order is the format: a
// field that is added goes to the end, with a new number in the title of segments.
func visit(c coder, e *linegate.AccountingEvent) {
	c.text(&e.NAS.Tenant)
	c.text(&e.NAS.Name)
	c.address(&e.NAS.Address)
	c.text((*string)(&e.Status))
	c.instant(&e.At)
	c.instant(&e.ReceivedAt)
	c.text(&e.AcctSessionID)
	c.text(&e.UserName)
	c.text(&e.SubscriberID)
	c.text((*string)(&e.Class))
	number(c, &e.SessionTime, math.MaxUint32)
	number(c, &e.InputOctets, math.MaxUint64)
	number(c, &e.OutputOctets, math.MaxUint64)
	number(c, &e.InputPackets, math.MaxUint64)
	number(c, &e.OutputPackets, math.MaxUint64)
	number(c, &e.TerminateCause, math.MaxUint32)
	c.text(&e.CallingStationID)
	c.text(&e.NASPortID)
	c.text((*string)(&e.Line.CircuitID))
	c.text((*string)(&e.Line.RemoteID))
	c.address(&e.FramedIPv4)
	c.address(&e.FramedIPv6Address)
	c.prefix(&e.FramedIPv6Prefix)
	c.prefix(&e.DelegatedIPv6Prefix)
	number(c, &e.ServiceVLAN, math.MaxUint16)
	number(c, &e.InnerVLAN, math.MaxUint16)
	number(c, &e.InterimInterval, math.MaxUint32)
}

// coder writes fields, or reads them.
type coder interface {
	text(*string)
	number(value *uint64, most uint64)
	instant(*time.Time)
	address(*netip.Addr)
	prefix(*netip.Prefix)
}

func number[T ~uint16 | ~uint32 | ~uint64](c coder, field *T, most uint64) {
	value := uint64(*field)
	c.number(&value, most)
	*field = T(value)
}

// appendEvent appends the event's encoding.
func appendEvent(to []byte, event *linegate.AccountingEvent) []byte {
	copied := *event // others may be reading the event
	w := writer{to}
	visit(&w, &copied)
	return w.octets
}

// decodeEvent reads what appendEvent wrote. The event owns its memory.
func decodeEvent(record []byte) (linegate.AccountingEvent, error) {
	var event linegate.AccountingEvent
	r := reader{octets: record}
	visit(&r, &event)
	if r.failed || len(r.octets) > 0 {
		return linegate.AccountingEvent{}, fmt.Errorf("%d octets: %w", len(record), errRecord)
	}
	return event, nil
}

// writer appends fields: numbers as varints, the rest after its length. Times are
// seconds and nanoseconds since 1970.
type writer struct{ octets []byte }

func (w *writer) text(value *string) {
	w.octets = binary.AppendUvarint(w.octets, uint64(len(*value)))
	w.octets = append(w.octets, *value...)
}

func (w *writer) number(value *uint64, _ uint64) {
	w.octets = binary.AppendUvarint(w.octets, *value)
}

func (w *writer) instant(value *time.Time) {
	w.octets = binary.AppendVarint(w.octets, value.Unix())
	w.octets = binary.AppendUvarint(w.octets, uint64(value.Nanosecond()))
}

func (w *writer) address(value *netip.Addr) {
	binary, _ := value.MarshalBinary() // has no way to fail
	text := string(binary)
	w.text(&text)
}

func (w *writer) prefix(value *netip.Prefix) {
	binary, _ := value.MarshalBinary() // has no way to fail
	text := string(binary)
	w.text(&text)
}

// reader takes fields from the front of the octets; failed says that one was not
// there, and what was read then means nothing.
type reader struct {
	octets []byte
	failed bool
}

func (r *reader) text(value *string) {
	var length uint64
	r.number(&length, maxRecord)
	if r.failed || length > uint64(len(r.octets)) {
		r.failed = true
		return
	}
	*value = string(r.octets[:length])
	r.octets = r.octets[length:]
}

func (r *reader) number(value *uint64, most uint64) {
	read, length := binary.Uvarint(r.octets)
	if length <= 0 || read > most {
		r.failed = true
		return
	}
	*value, r.octets = read, r.octets[length:]
}

func (r *reader) instant(value *time.Time) {
	seconds, length := binary.Varint(r.octets)
	if length <= 0 {
		r.failed = true
		return
	}
	r.octets = r.octets[length:]
	var nanoseconds uint64
	r.number(&nanoseconds, 999_999_999)
	*value = time.Unix(seconds, int64(nanoseconds)).UTC()
}

func (r *reader) address(value *netip.Addr) {
	var binary string
	r.text(&binary)
	r.failed = value.UnmarshalBinary([]byte(binary)) != nil || r.failed
}

func (r *reader) prefix(value *netip.Prefix) {
	var binary string
	r.text(&binary)
	r.failed = value.UnmarshalBinary([]byte(binary)) != nil || r.failed
}
