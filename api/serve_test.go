package api_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"linegate/api"
)

// serve starts a server and returns its address, its end and what it returned.
func serve(t *testing.T, handler http.Handler) (address string, stop context.CancelFunc, done <-chan error) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- api.Serve(ctx, listener, handler, slog.New(slog.DiscardHandler)) }()
	t.Cleanup(cancel)
	return listener.Addr().String(), cancel, ended
}

func TestServeAnswersUntilItsContextEnds(t *testing.T) {
	address, stop, done := serve(t, handler())
	answer, err := http.Get("http://" + address + "/healthz")
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	assert.Equal(t, 200, answer.StatusCode)

	stop()
	require.NoError(t, <-done)
	assert.False(t, reachable(address), "the listener is closed")
}

func TestShutdownLetsRequestsUnderWayFinish(t *testing.T) {
	begun, finish := make(chan struct{}), make(chan struct{})
	address, stop, done := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(begun)
		<-finish
		_, _ = io.WriteString(w, "finished")
	}))
	connection, err := net.Dial("tcp", address)
	require.NoError(t, err)
	defer connection.Close()
	_, err = fmt.Fprint(connection, "GET / HTTP/1.1\r\nHost: linegate\r\n\r\n")
	require.NoError(t, err)

	<-begun
	stop()
	require.Eventually(t, func() bool { return !reachable(address) }, 5*time.Second, time.Millisecond)
	close(finish)
	answer, err := http.ReadResponse(bufio.NewReader(connection), nil)
	require.NoError(t, err)
	body, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	assert.Equal(t, "finished", string(body))
	require.NoError(t, <-done)
}

func reachable(address string) bool {
	connection, err := net.Dial("tcp", address)
	if err != nil {
		return false
	}
	_ = connection.Close()
	return true
}

func TestServeFailsWhenItsListenerFails(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	err = api.Serve(t.Context(), listener, handler(), slog.New(slog.DiscardHandler))
	require.ErrorIs(t, err, net.ErrClosed)
	assert.ErrorContains(t, err, "http "+listener.Addr().String())
}

func TestShutdownCutsOffARequestThatHangs(t *testing.T) {
	t.Parallel() // it takes the whole time limit
	begun, finish := make(chan struct{}), make(chan struct{})
	address, stop, done := serve(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		close(begun)
		<-finish
	}))
	connection, err := net.Dial("tcp", address)
	require.NoError(t, err)
	defer connection.Close()
	_, err = fmt.Fprint(connection, "GET / HTTP/1.1\r\nHost: linegate\r\n\r\n")
	require.NoError(t, err)
	<-begun
	stop()
	require.NoError(t, <-done)
	_, err = connection.Read(make([]byte, 1))
	assert.Error(t, err, "the connection is closed")
	close(finish)
}

func TestAnOversizedHeaderIsRefused(t *testing.T) {
	address, _, _ := serve(t, handler())
	request, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+address+"/", nil)
	require.NoError(t, err)
	request.Header.Set("X-Long", fmt.Sprintf("%065536d", 0))
	answer, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	assert.Equal(t, http.StatusRequestHeaderFieldsTooLarge, answer.StatusCode)
}
