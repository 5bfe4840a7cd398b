package radiusd_test

import (
	"context"
	"log/slog"
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"linegate/policy/dialect"
	"linegate/radiusd"
	"linegate/telemetry"
)

// The kernel drops what comes while nobody reads; the next packet that is read
// tells how many that were.
func TestPacketsThatTheKernelDropsAreCounted(t *testing.T) {
	b := &bench{T: t, metrics: telemetry.NewMetrics()}
	server, err := radiusd.New(t.Context(), radiusd.Options{
		Auth: []string{"127.0.0.1:0"}, Sockets: 1, ReadBuffer: 4096, Dialects: dialect.Builtin(32473),
		Metrics: b.metrics, Logger: slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	require.NoError(t, server.Listen(t.Context()))
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(server.Addresses(radiusd.AuthPort)[0]))
	require.NoError(t, err)
	defer func() { _ = conn.Close() }()
	const sent = 500
	for range sent {
		_, err := conn.Write(make([]byte, 100))
		require.NoError(t, err)
	}

	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx) }()
	require.Eventually(t, func() bool {
		_, _ = conn.Write(make([]byte, 100))
		lost, read := b.drops(telemetry.DropSocketFull), b.drops(telemetry.DropUnknownClient)
		return lost > 0 && lost+read >= sent
	}, waitLimit, pollInterval, "every packet is counted, one way or the other")
	cancel()
	require.NoError(t, <-ended)
}
