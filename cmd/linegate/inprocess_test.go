package main

import (
	"context"
	"crypto/rand"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"linegate/radiusd/client"
	"linegate/radiusd/wire"
)

// Serving within the test's own process shows what the binary's tests can't: that
// every goroutine has ended when serve returns, under the same race detector.
func TestServeStartsServesReloadsAndStops(t *testing.T) {
	demo, err := filepath.Abs("../../testdata/demo.yaml")
	require.NoError(t, err)
	freshStore(t)
	require.NoError(t, os.WriteFile("linegate.yaml", []byte("listen: {auth: '127.0.0.1:0', acct: '127.0.0.1:0', coa: '127.0.0.1:0', http: '127.0.0.1:0'}\n"+
		"log: {file: linegate.log}\napply_on_first_start: "+demo+"\n"), 0o600))

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	banner, out := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		root := newRootCommand()
		root.SetArgs([]string{"serve"})
		root.SetOut(out)
		ended <- root.ExecuteContext(ctx)
		_ = out.Close()
	}()
	s := &instance{T: t, log: &logLines{}}
	s.readBanner(banner)

	builder := client.Builder{Signer: wire.NewSigner("testing123"), Random: rand.Reader}
	server := client.Server{Address: s.auth, Signer: builder.Signer, Timeout: 10 * time.Second, Tries: 1}
	request, err := builder.Access(nil, 1, &client.Login{UserName: "carol", Password: "secretpw", Method: client.MethodCHAP})
	require.NoError(t, err)
	answer, err := server.Exchange(t.Context(), request)
	require.NoError(t, err)
	assert.Equal(t, wire.AccessAccept, answer.Packet.Code())

	require.NoError(t, run(t, "", "profile", "set", "carol", "--service-vlan", "77").err)
	require.NoError(t, run(t, "", "nas", "add", "second", "--address", "192.0.2.1", "--secret", "0123456789abcdef").err)
	s.within(30*time.Second, func() bool {
		_, metrics := s.get("/metrics")
		return strings.Contains(metrics, `radius_nas_message_authenticator{nas="second",tenant_id="demo"} 0`)
	}, "the new NAS is followed")
	s.within(30*time.Second, func() bool {
		status, _ := s.get("/readyz")
		return status == http.StatusOK
	}, "ready")

	for _, step := range []struct{ config, logged string }{
		{"log: {level: loud}", "the configuration stays as it was"},
		{"log: {level: debug}", "other changed keys need a restart"},
	} {
		require.NoError(t, os.WriteFile("linegate.yaml", []byte(step.config), 0o600))
		require.NoError(t, syscall.Kill(syscall.Getpid(), syscall.SIGHUP))
		s.within(30*time.Second, func() bool {
			text, err := os.ReadFile("linegate.log")
			return err == nil && strings.Contains(string(text), step.logged)
		}, step.logged)
	}
	cancel()
	require.NoError(t, <-ended)
	logged, err := os.ReadFile("linegate.log")
	require.NoError(t, err)
	for _, text := range []string{"network_profile_updated", "nas_created", "coa.clients names nobody", `"msg":"stopped"`} {
		assert.Contains(t, string(logged), text)
	}
	assert.NotContains(t, string(logged), "0123456789abcdef")
}
