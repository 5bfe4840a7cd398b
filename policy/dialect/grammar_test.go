package dialect

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"

	"linegate"
)

func TestVLANsAreReadOutOfEveryGrammar(t *testing.T) {
	for grammar, cases := range map[string]map[string][2]linegate.VLAN{
		"colon": {
			"1/1/3:100.200": {100, 200}, "bng1 1/1/3:100.200 suffix": {100, 200}, "ge-1/0/1.100:100-200": {100, 200},
			"eth1:100.200": {100, 200}, "1/0/3:100": {100, 0}, "1/1/3": {}, "1/1/3:": {}, "1/1/3:0.5": {}, "1/1/3:4095": {},
			"1/1/3:100.0": {}, "1/1/3:100.": {}, "1/1/3:abc": {}, ":7": {7, 0}, "": {}, "1/1/3:99999999999999999999": {},
		},
		"dotted": {"eth1.100.200": {100, 200}, "eth1.100": {100, 0}, "eth1": {}, ".100": {}, "eth1.100.200.300": {}, "ppp0.x": {}},
		"slash":  {"0/0/2/50.1957": {50, 1957}, "0/0/2": {}, "50.1957": {}, "0/0/2/50": {}, "0/0/2/0.1": {}},
		"keyed": {
			"slot=1;subslot=0;port=3;vlanid=100;vlanid2=200;": {100, 200}, "vlanid=100;vlanid2=0;": {100, 0},
			"vlanid=100": {100, 0}, "slot=1;port=3;": {}, "vlanid=;": {}, " vlanid = 7 ; vlanid2 = 8 ": {7, 8},
			"vlanid2=5;": {}, "vlanid=100;vlanid2=5000;": {}, "xvlanid=100": {},
		},
	} {
		for text, want := range cases {
			service, inner, ok := vlanGrammars()[grammar]([]byte(text))
			if want == [2]linegate.VLAN{} {
				assert.False(t, ok, "%s: %q", grammar, text)
				continue
			}
			assert.True(t, ok, "%s: %q", grammar, text)
			assert.Equal(t, want, [2]linegate.VLAN{service, inner}, "%s: %q", grammar, text)
		}
	}
}

func TestAComposedUserNameIsOneOnlyWhenItsLengthsAgree(t *testing.T) {
	for text, want := range map[string][2]string{
		"000400320001:0106001cf09d7167":                        {"000400320001", "0106001cf09d7167"},
		"18c0.4d51.dee2-ae0:139-0004008B000C-0006286ED47B1CA4": {"0004008B000C", "0006286ED47B1CA4"},
		"alice:secret": {}, "dead-beef": {}, "000400320001": {}, "000500320001:0106001cf09d7167": {}, "": {}, "-": {},
		"0004003200g1:0106001cf09d7167": {}, "0004:0106001cf09d7167": {}, "200400320001:0106001cf09d7167": {},
	} {
		circuit, remote := composedLine([]byte(text))
		assert.Equal(t, want, [2]string{string(circuit), string(remote)}, text)
	}
}

func TestTheWalkerFindsOption82AndStopsAtNonsense(t *testing.T) {
	for name, test := range map[string]struct{ options, want []byte }{
		"alone":                       {[]byte{82, 3, 1, 1, 'x'}, []byte{1, 1, 'x'}},
		"after padding and others":    {[]byte{0, 0, 53, 1, 1, 82, 0}, []byte{}},
		"behind the end":              {[]byte{255, 82, 1, 'x'}, nil},
		"cut off":                     {[]byte{82, 9, 1, 1, 'x'}, nil},
		"a length missing":            {[]byte{53}, nil},
		"an option before is cut off": {[]byte{53, 200, 82, 0}, nil},
		"nothing":                     {nil, nil},
	} {
		assert.Equal(t, test.want, relayAgent(test.options), name)
	}
	assert.Equal(t, []byte("ab"), subOption([]byte{2, 1, 'r', 1, 2, 'a', 'b'}, 1))
	assert.Nil(t, subOption([]byte{1, 9, 'a'}, 1))
	assert.Equal(t, []byte("ab"), option6([]byte{0, 1, 0, 1, 'x', 0, 18, 0, 2, 'a', 'b'}, 18))
	assert.Nil(t, option6([]byte{0, 18, 0, 9, 'a'}, 18))
}

func FuzzOptionWalker(f *testing.F) {
	f.Add([]byte{53, 1, 1, 82, 4, 1, 2, 'a', 'b', 255})
	f.Add([]byte{0, 18, 0, 2, 'a', 'b'})
	f.Fuzz(func(t *testing.T, options []byte) {
		for _, found := range [][]byte{relayAgent(options), subOption(options, 1), option6(options, 18), subOption(relayAgent(options), 2)} {
			if !bytes.Contains(options, found) {
				t.Errorf("% x is no part of % x", found, options)
			}
		}
	})
}

func FuzzVLANGrammars(f *testing.F) {
	for _, text := range []string{"1/1/3:100.200", "eth1.100.200", "0/0/2/50.1957", "slot=1;vlanid=100;vlanid2=200;"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		for name, grammar := range vlanGrammars() {
			service, inner, ok := grammar(text)
			if ok && (service == 0 || service > linegate.MaxVLAN || inner > linegate.MaxVLAN) {
				t.Errorf("%s: %q gives %d.%d", name, text, service, inner)
			}
		}
		composedLine(text)
	})
}
