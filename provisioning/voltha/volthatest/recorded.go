package volthatest

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"linegate/provisioning/peertest"
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
	return peertest.Lines[Exchange](t, "voltha", name)
}

// Decode reads a recorded message; fields that our part of the API leaves out are
// left out.
func Decode(t testing.TB, content []byte, into proto.Message) {
	t.Helper()
	require.NoError(t, protojson.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(content, into))
}
