package genieacs

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"linegate/provisioning/genieacs/genieacstest"
	"linegate/provisioning/peertest"
)

// exchange is a recorded request with its answer.
type exchange struct {
	Name, Note, Method, Path string
	Body                     any
	Status                   int
	Reason                   string
	Answer                   any
	Dies                     bool
}

// before are the states that the CPE was put into for a recording.
var before = map[string]func(*genieacstest.Server){
	"67": func(s *genieacstest.Server) { s.SetOffline(tr098, genieacstest.OfflineNoSession) },
	"68": func(s *genieacstest.Server) { s.SetOffline(tr098, genieacstest.OfflineRefused) },
	"89": func(s *genieacstest.Server) { s.SetOffline(tr098, genieacstest.Online) },
	"107": func(s *genieacstest.Server) {
		s.Change(tr098, wan+".X_HW_VLAN", func(p *genieacstest.Parameter) { p.Ignores = true })
	},
	"118": func(s *genieacstest.Server) {
		s.Change(tr098, wan+".X_HW_VLAN", func(p *genieacstest.Parameter) { p.Ignores = false })
	},
}

// The fake is worth what it has in common with the real server: it is told what
// that was told and must say what that said.
func TestTheFakeAnswersAsTheRecordedServer(t *testing.T) {
	server := genieacstest.Start(t)
	deaths := 0
	for _, recorded := range peertest.Lines[exchange](t, "genieacs", "exchanges.jsonl") {
		number, _, _ := strings.Cut(recorded.Name, "_")
		if prepare := before[number]; prepare != nil {
			prepare(server)
		}
		response, err := send(t, server, recorded)
		if recorded.Dies {
			deaths++
			assert.Error(t, err, recorded.Name)
			assert.Len(t, server.Crashes(), deaths, recorded.Name)
			continue
		}
		require.NoError(t, err, recorded.Name)
		body, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		_, reason, _ := strings.Cut(response.Status, " ")
		assert.Equal(t, recorded.Status, response.StatusCode, recorded.Name)
		assert.Equal(t, recorded.Reason, reason, recorded.Name)
		sameAnswer(t, recorded, body)
	}
	assert.Equal(t, 4, deaths)
}

func send(t *testing.T, server *genieacstest.Server, recorded exchange) (*http.Response, error) {
	t.Helper()
	var body []byte
	switch content := recorded.Body.(type) {
	case nil:
	case string:
		body = []byte(content)
	default:
		var err error
		body, err = json.Marshal(content)
		require.NoError(t, err)
	}
	request, err := http.NewRequestWithContext(t.Context(), recorded.Method, server.URL()+recorded.Path, bytes.NewReader(body))
	require.NoError(t, err)
	return http.DefaultClient.Do(request)
}

// sameAnswer compares what does not depend on the moment.
func sameAnswer(t *testing.T, recorded exchange, body []byte) {
	t.Helper()
	if words, ok := recorded.Answer.(string); ok {
		first, _, _ := strings.Cut(words, ":")
		assert.True(t, strings.HasPrefix(string(body), first), "%s: %s", recorded.Name, body)
		return
	}
	if recorded.Answer == nil || len(body) == 0 {
		return
	}
	var answer any
	require.NoError(t, json.Unmarshal(body, &answer), recorded.Name)
	assert.Equal(t, timeless(recorded.Answer), timeless(answer), recorded.Name)
}

// timeless leaves out ids, times, and what the fake's CPE lacks.
func timeless(value any) any {
	switch value := value.(type) {
	case []any:
		list := []any{}
		for _, entry := range value {
			list = append(list, timeless(entry))
		}
		return list
	case map[string]any:
		object := map[string]any{}
		for name, entry := range value {
			known := name == "_id" || name == "timestamp" || name == "_timestamp" || name == "_lastInform" || name == "channel" || name == "_object"
			if !known {
				object[name] = timeless(entry)
			}
		}
		return object
	}
	return value
}
