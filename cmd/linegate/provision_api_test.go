package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const apiToken = "0123456789abcdef"

// ask sends a request to the API, with the token unless another is given, and
// returns status and JSON.
func (s *instance) ask(method, path, body string, token ...string) (status int, answer map[string]any) {
	s.Helper()
	request, err := http.NewRequestWithContext(s.Context(), method, "http://"+s.api+path, bytes.NewBufferString(body))
	require.NoError(s, err)
	request.Header.Set("Authorization", "Bearer "+append(token, apiToken)[0])
	response, err := http.DefaultClient.Do(request)
	require.NoError(s, err)
	defer response.Body.Close()
	if response.ContentLength != 0 {
		require.NoError(s, json.NewDecoder(response.Body).Decode(&answer))
	}
	return response.StatusCode, answer
}

func TestOrdersComeOverHTTP(t *testing.T) {
	token := filepath.Join(t.TempDir(), "api.token")
	require.NoError(t, os.WriteFile(token, []byte(apiToken+"\n"), 0o600))
	s, b := provisionedInstance(t, "LINEGATE_API_ADDRESS=127.0.0.1:0", "LINEGATE_API_TOKEN_FILE="+token)
	status, answer := s.ask("GET", "/api/provisioning/orders", "", "0123456789abcdeX")
	assert.Equal(t, http.StatusUnauthorized, status)
	assert.Contains(t, answer["error"], "the token of api.token_file is required")

	const order = `{"key":"h1","kind":"provision","tenant":"demo","username":"web","profile":{"password":"secretpw","circuit_id":"c"},"addresses":{"ipv4":true}}`
	status, answer = s.ask("POST", "/api/provisioning/orders", order)
	require.Equal(t, http.StatusAccepted, status, answer)
	assert.Equal(t, "demo/h1", answer["id"])
	s.within(60*time.Second, func() bool {
		_, answer = s.ask("GET", "/api/provisioning/orders/demo/h1", "")
		return answer["state"] == "done"
	}, "the order is carried out")
	result := answer["result"].(map[string]any)
	assert.Equal(t, 1, b.holds(t, result["service_id"].(string)))
	assert.Contains(t, s.cli("provision", "show", "demo/h1"), result["ipv4_address"])

	status, answer = s.ask("POST", "/api/netbox/allocate-ipv6-prefix", `{"tenant":"demo","subscriber_id":"web","prefix_length":56}`)
	require.Equal(t, http.StatusOK, status, answer)
	prefix := answer["prefix"]
	_, answer = s.ask("POST", "/api/netbox/allocate-ipv6-prefix", `{"tenant":"demo","subscriber_id":"web","prefix_length":56}`)
	assert.Equal(t, prefix, answer["prefix"], "the same key, the same prefix")
	status, answer = s.ask("POST", "/api/netbox/allocate-ipv6-prefix", `{"prefix_length":56}`)
	assert.Equal(t, http.StatusBadRequest, status)
	assert.Contains(t, answer["error"], "subscriber_id")
	status, _ = s.ask("POST", "/api/provisioning/orders/demo/h1/retry", "")
	assert.Equal(t, http.StatusConflict, status, "it waits for no decision")
	status, _ = s.ask("GET", "/metrics", "")
	assert.Equal(t, http.StatusNotFound, status)
	status, _ = s.get("/api/provisioning/orders")
	assert.Equal(t, http.StatusNotFound, status, "metrics and orders have addresses of their own")
	s.stop()
}

func TestATokenThatCouldBeGuessedIsRefused(t *testing.T) {
	freshStore(t)
	require.NoError(t, os.WriteFile("short", []byte("0123456789abcde\n"), 0o600))
	require.NoError(t, os.WriteFile("linegate.yaml", []byte("listen: {auth: '127.0.0.1:0', acct: '127.0.0.1:0', http: 'off'}\napi: {address: '127.0.0.1:0', token_file: short}\n"), 0o600))
	assert.ErrorContains(t, run(t, "", "serve").err, "api.token_file: short: a token has 16 characters or more")
}
