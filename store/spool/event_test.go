package spool

import (
	"bytes"
	"encoding/hex"
	"math"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"linegate"
)

// fill gives every field, however deep, a value of its own that is not zero. A
// kind of field that it does not know fails the test.
func fill(t testing.TB, value reflect.Value, serial *uint8) {
	t.Helper()
	*serial++
	switch field := value.Addr().Interface().(type) {
	case *time.Time:
		*field = time.Date(2026, 11, 25, 12, 0, int(*serial), 123456789, time.UTC)
		return
	case *netip.Addr:
		*field = netip.AddrFrom4([4]byte{192, 0, 2, *serial})
		return
	case *netip.Prefix:
		*field = netip.PrefixFrom(netip.MustParseAddr("2001:db8::"), 32+int(*serial))
		return
	}
	switch value.Kind() {
	case reflect.Struct:
		for i := range value.NumField() {
			fill(t, value.Field(i), serial)
		}
	case reflect.String:
		value.SetString("text \x00\xff " + string(rune('A'+*serial)))
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		value.SetUint(math.MaxUint64>>(64-value.Type().Bits()) - uint64(*serial))
	default:
		require.Fail(t, "a field of a new kind", "%s", value.Type())
	}
}

func filled(t testing.TB) linegate.AccountingEvent {
	var event linegate.AccountingEvent
	var serial uint8
	fill(t, reflect.ValueOf(&event).Elem(), &serial)
	return event
}

// This fails when somebody adds a field to AccountingEvent and forgets it here.
func TestEveryFieldOfAnEventComesBack(t *testing.T) {
	for _, event := range []linegate.AccountingEvent{filled(t), {}} {
		record := appendEvent(nil, &event)
		decoded, err := decodeEvent(record)
		require.NoError(t, err)
		assert.Equal(t, event, decoded)
	}
}

// The format must not change under a spool that an older Linegate has left.
func TestTheFormatStaysAsItIs(t *testing.T) {
	event := linegate.AccountingEvent{
		NAS: linegate.NASKey{Tenant: "demo", Name: "bng", Address: netip.MustParseAddr("192.0.2.1")}, Status: linegate.AcctStop,
		At: time.Unix(1_700_000_000, 5), ReceivedAt: time.Unix(1_700_000_001, 0), AcctSessionID: "s1", SessionTime: 300,
		DelegatedIPv6Prefix: netip.MustParsePrefix("2001:db8::/56"), ServiceVLAN: 100,
	}
	const expected = "0464656d6f" + "03626e67" + "04c0000201" + "0473746f70" + // tenant, NAS, address, status
		"80c49fd50c05" + "82c49fd50c00" + "027331" + "00" + "00" + "00" + // at, received, session, user, subscriber, class
		"ac02" + "00" + "00" + "00" + "00" + "00" + // session time, counters, cause
		"00" + "00" + "00" + "00" + "00" + "00" + "01ff" + // calling station, port, line, addresses
		"1120010db800000000000000000000000038" + "64" + "00" + "00" // prefix, VLANs, interval
	assert.Equal(t, expected, hex.EncodeToString(appendEvent(nil, &event)))
}

func TestARecordThatIsCutOrLongerIsNoEvent(t *testing.T) {
	event := filled(t)
	record := appendEvent(nil, &event)
	for length := range record {
		_, err := decodeEvent(record[:length])
		assert.ErrorIs(t, err, errRecord, "%d octets", length)
	}
	_, err := decodeEvent(append(record, 0))
	assert.ErrorIs(t, err, errRecord)
}

func FuzzDecodeEvent(f *testing.F) {
	event := filled(f)
	f.Add(appendEvent(nil, &event))
	f.Add(appendEvent(nil, &linegate.AccountingEvent{}))
	f.Fuzz(func(t *testing.T, record []byte) {
		event, err := decodeEvent(record)
		if err != nil {
			return
		}
		again, err := decodeEvent(appendEvent(nil, &event))
		require.NoError(t, err)
		assert.Equal(t, event, again)
	})
}

func FuzzNextRecord(f *testing.F) {
	s := salt{1, 2, 3, 4, 5, 6, 7, 8}
	event := filled(f)
	records, err := s.appendRecord(nil, func(to []byte) []byte { return appendEvent(to, &event) })
	require.NoError(f, err)
	f.Add(records)
	f.Add(append(records[:20:20], records...))
	f.Fuzz(func(t *testing.T, data []byte) {
		for at := 0; at < len(data); {
			event, start, end, ok := s.next(data, at)
			if !ok {
				return
			}
			require.True(t, at <= start && start < end && end <= len(data))
			require.True(t, bytes.Contains(data[start:end], event))
			at = end
		}
	})
}
