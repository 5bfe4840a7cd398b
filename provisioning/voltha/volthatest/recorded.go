package volthatest

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// Exchange is one recorded call of the core.
type Exchange struct {
	Step     string          `json:"step"`
	Method   string          `json:"method"`
	Request  json.RawMessage `json:"request"`
	Response json.RawMessage `json:"response"`
	Error    *struct {
		Code    uint32 `json:"code"`
		Message string `json:"message"`
	} `json:"error"`
	// Of the controller's REST interface.
	Path   string `json:"path"`
	Status int    `json:"status"`
}

// Call is the last part of the method's name.
func (e *Exchange) Call() string { return e.Method[strings.LastIndexByte(e.Method, '/')+1:] }

// Recorded reads a file of testdata/peers/voltha.
func Recorded(t testing.TB, name string) []Exchange {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(repository(t), "testdata", "peers", "voltha", name))
	require.NoError(t, err)
	var list []Exchange
	for line := range bytes.Lines(content) {
		var exchange Exchange
		require.NoError(t, json.Unmarshal(line, &exchange))
		list = append(list, exchange)
	}
	return list
}

// Decode reads a recorded message; fields that our part of the API leaves out are
// left out.
func Decode(t testing.TB, content []byte, into proto.Message) {
	t.Helper()
	require.NoError(t, protojson.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(content, into))
}

// repository is the folder with go.mod, upwards of the package under test.
func repository(t testing.TB) string {
	t.Helper()
	folder, err := os.Getwd()
	require.NoError(t, err)
	for {
		if _, err := os.Stat(filepath.Join(folder, "go.mod")); err == nil {
			return folder
		}
		parent := filepath.Dir(folder)
		require.NotEqual(t, folder, parent, "no go.mod upwards of the test")
		folder = parent
	}
}
