package peertest

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// Read returns a file of testdata/peers, wherever the package under test lies.
func Read(t testing.TB, name ...string) []byte {
	t.Helper()
	folder, err := os.Getwd()
	require.NoError(t, err)
	for {
		if _, err := os.Stat(filepath.Join(folder, "go.mod")); err == nil {
			break
		}
		parent := filepath.Dir(folder)
		require.NotEqual(t, folder, parent, "no go.mod upwards of the test")
		folder = parent
	}
	content, err := os.ReadFile(filepath.Join(append([]string{folder, "testdata", "peers"}, name...)...))
	require.NoError(t, err)
	return content
}

// Lines reads a file of testdata/peers that has one JSON value a line.
func Lines[T any](t testing.TB, name ...string) []T {
	t.Helper()
	var list []T
	for line := range bytes.Lines(Read(t, name...)) {
		var value T
		require.NoError(t, json.Unmarshal(line, &value))
		list = append(list, value)
	}
	return list
}
