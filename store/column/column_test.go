package column_test

import (
	"database/sql"
	"math"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"linegate"
	"linegate/store/column"
)

func TestWhatIsWrittenIsReadBack(t *testing.T) {
	at := time.Date(2027, 5, 10, 12, 0, 0, 123000, time.UTC)
	read := at
	require.NoError(t, column.ReadMicros(&read).Scan(column.Micros(time.Time{})))
	assert.True(t, read.IsZero())
	require.NoError(t, column.ReadMicros(&read).Scan(column.Micros(at.In(time.FixedZone("", 3600)))))
	assert.Equal(t, at, read)

	var lasting time.Duration
	require.NoError(t, column.ReadSeconds(&lasting).Scan(column.Seconds(90*time.Second+time.Millisecond)))
	assert.Equal(t, 90*time.Second, lasting)

	address := netip.MustParseAddr("2001:db8::1")
	for _, given := range []netip.Addr{{}, netip.MustParseAddr("192.0.2.1")} {
		require.NoError(t, column.ReadText(&address).Scan(column.Text(given)))
		assert.Equal(t, given, address)
	}

	var octets linegate.Octets
	require.NoError(t, column.ReadOctets(&octets).Scan([]byte("\x00\xff")))
	assert.Equal(t, linegate.Octets("\x00\xff"), octets)

	var counter uint64
	require.NoError(t, column.ReadCounter(&counter).Scan(int64(-1)))
	assert.Equal(t, uint64(math.MaxUint64), counter)
}

func TestAValueOfAnotherTypeIsRefused(t *testing.T) {
	for _, read := range []sql.Scanner{column.ReadMicros(nil), column.ReadSeconds(nil), column.ReadText(nil), column.ReadOctets(nil), column.ReadCounter(nil)} {
		assert.Error(t, read.Scan(1.5), "%T", read)
	}
}

func TestAnAuditEntryKeepsKeysOfAnyOctets(t *testing.T) {
	written := linegate.AuditEntry{Revision: 7, Changes: []linegate.FieldChange{{Field: "circuit_id", Old: "a", New: "b"}},
		Keys: []linegate.Key{"demo\x00c\x00\xff\xfe", "demo\x00u\x00alice"}}
	changes, keys, err := column.Audit(&written)
	require.NoError(t, err)
	read := linegate.AuditEntry{Revision: 7}
	require.NoError(t, column.ReadAudit(&read, []byte(changes), []byte(keys)))
	assert.Equal(t, written, read)

	assert.ErrorContains(t, column.ReadAudit(&read, []byte("x"), []byte(keys)), "revision 7: changes")
	assert.ErrorContains(t, column.ReadAudit(&read, []byte(changes), []byte("x")), "revision 7: keys")
}
