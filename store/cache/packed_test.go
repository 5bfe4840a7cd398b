package cache

import (
	"fmt"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"linegate"
)

// filled returns a subscriber in which every field says something, whatever fields
// there are; n makes it another one.
func filled(t *testing.T, n int) *linegate.Subscriber {
	s := &linegate.Subscriber{}
	fill(t, reflect.ValueOf(s).Elem(), n)
	s.Validation = linegate.Validation{} // not kept
	return s
}

func fill(t *testing.T, value reflect.Value, n int) {
	switch v := value.Addr().Interface().(type) {
	case *netip.Addr:
		*v = netip.AddrFrom4([4]byte{10, 0, 0, byte(n)})
		return
	case *netip.Prefix:
		*v = netip.PrefixFrom(netip.MustParseAddr(fmt.Sprintf("2001:db8:%x::", n)), 56)
		return
	case *time.Time:
		return
	}
	switch value.Kind() {
	case reflect.String:
		value.SetString(fmt.Sprint(value.Type(), n))
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		value.SetUint(uint64(n))
	case reflect.Int64:
		value.SetInt(int64(n) << 40)
	case reflect.Bool:
		value.SetBool(true)
	case reflect.Pointer:
		value.Set(reflect.New(value.Type().Elem()))
		fill(t, value.Elem(), n)
	case reflect.Slice:
		value.Set(reflect.MakeSlice(value.Type(), 1+n%3, 1+n%3))
		fallthrough
	case reflect.Array:
		for i := range value.Len() {
			fill(t, value.Index(i), n+i)
		}
	case reflect.Struct:
		for i := range value.NumField() {
			fill(t, value.Field(i), n+i)
		}
	default:
		t.Fatalf("a field of kind %s: say here how to fill it", value.Kind())
	}
}

func TestASubscriberComesBackAsItWasPacked(t *testing.T) {
	var room linegate.Room // serves all of them in turn
	back := func(s *linegate.Subscriber) {
		t.Helper()
		assert.Equal(t, s, unpack(pack(s), &room))
	}
	for n := range 100 {
		back(filled(t, n+1))
	}
	back(&linegate.Subscriber{})
	back(&linegate.Subscriber{Profile: &linegate.NetworkProfile{}})
	back(subscriber(1))

	long := filled(t, 1)
	long.Username = string(make([]byte, 1000))
	back(long)
}

// Each field that is there alone comes back, and brings no other with it.
func TestEachFieldOfAProfileIsKeptByItself(t *testing.T) {
	var room linegate.Room
	from := reflect.ValueOf(filled(t, 1).Profile).Elem()
	for i := range from.NumField() {
		s := &linegate.Subscriber{ID: "id", Profile: &linegate.NetworkProfile{}}
		reflect.ValueOf(s.Profile).Elem().Field(i).Set(from.Field(i))
		assert.Equal(t, s, unpack(pack(s), &room), from.Type().Field(i).Name)
	}
}

func TestAddressesOfBothFamiliesAreKept(t *testing.T) {
	var room linegate.Room
	s := subscriber(1)
	s.Profile.DNSServers = linegate.Addresses{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("::ffff:192.0.2.1")}
	s.Profile.StaticIPv6 = netip.MustParseAddr("::")
	require.Equal(t, s, unpack(pack(s), &room))
}

func TestUnpackingDoesNotAllocate(t *testing.T) {
	var room linegate.Room
	form := pack(filled(t, 2))
	unpack(form, &room) // its lists have grown
	assert.Zero(t, testing.AllocsPerRun(100, func() { unpack(form, &room) }))
}

func BenchmarkUnpack(b *testing.B) {
	var room linegate.Room
	form := pack(subscriber(1))
	b.ReportAllocs()
	for b.Loop() {
		unpack(form, &room)
	}
}
