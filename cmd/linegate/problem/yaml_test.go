package problem

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func parse(t *testing.T, text string) (Value, *List) {
	t.Helper()
	found := &List{File: "f"}
	document, ok := ParseYAML([]byte(text), found)
	require.True(t, ok, "%v", found.Err())
	return document, found
}

func TestAMappingGivesItsKeysInOrderWithTheirLines(t *testing.T) {
	document, found := parse(t, "b: 1\n\na: [x, y]\nc: ~\n")
	entries := document.Entries(found, "", []string{"a", "b", "c"})
	require.NoError(t, found.Err())
	require.Len(t, entries, 3)
	assert.Equal(t, "b", entries[0].Key)
	text, ok := entries[0].Value.Scalar()
	assert.True(t, ok)
	assert.Equal(t, "1", text)
	assert.Equal(t, 3, entries[1].Line)
	assert.Len(t, entries[1].Value.List(), 2)
	_, ok = entries[1].Value.Scalar()
	assert.False(t, ok)
	assert.True(t, entries[2].Value.Null())
	assert.Empty(t, entries[2].Value.List())
	text, ok = entries[2].Value.Scalar()
	assert.True(t, ok)
	assert.Empty(t, text)
}

func TestWhatIsNoMappingIsNoted(t *testing.T) {
	document, found := parse(t, "- a\n")
	assert.Empty(t, document.Entries(found, "", []string{"x"}))
	assert.EqualError(t, found.Err(), "f:1: document: keys with values are expected (known here: x)")
}

func TestAnEmptyDocumentIsAnEmptyMapping(t *testing.T) {
	for _, text := range []string{"", "\n", "# nothing\n", "---\n", "~\n"} {
		document, found := parse(t, text)
		assert.Empty(t, document.Entries(found, "", []string{"x"}), "%q", text)
		assert.NoError(t, found.Err(), "%q", text)
	}
}

func FuzzYAML(f *testing.F) {
	for _, text := range []string{"", "a: 1", "a: {b: [1, 2]}", "a: &x [*x]", "a: 1\n---\nb: 2", "? [k]\n: v", "<<: {a: 1}", "a: |\n  text"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		found := &List{File: "f"}
		document, ok := ParseYAML(text, found)
		if !ok {
			require.Error(t, found.Err())
			return
		}
		for _, entry := range document.Entries(found, "", []string{"a", "b"}) {
			for _, item := range entry.Value.List() {
				item.Scalar()
				item.Entries(found, entry.Key+".", []string{"b"})
			}
		}
	})
}
