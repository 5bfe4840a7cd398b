package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"golang.org/x/net/netutil"
)

// Limits on clients, so that none can hold the server's memory.
const (
	maxConnections  = 256
	maxHeaderOctets = 16 << 10
	headerLimit     = 5 * time.Second
	readLimit       = 15 * time.Second
	writeLimit      = 30 * time.Second
	idleLimit       = time.Minute
	shutdownLimit   = 5 * time.Second
)

// Serve answers on the listener until ctx ends, then lets requests under way
// finish for up to five seconds, and closes the listener. It returns nil after
// such an orderly end. Faults of single connections go to the logger.
func Serve(ctx context.Context, listener net.Listener, handler http.Handler, logger *slog.Logger) error {
	server := &http.Server{
		Handler:           handler,
		MaxHeaderBytes:    maxHeaderOctets,
		ReadHeaderTimeout: headerLimit,
		ReadTimeout:       readLimit,
		WriteTimeout:      writeLimit,
		IdleTimeout:       idleLimit,
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelWarn),
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(netutil.LimitListener(listener, maxConnections)) }()

	select {
	case err := <-served:
		return fmt.Errorf("http %s: %w", listener.Addr(), err)
	case <-ctx.Done():
	}
	return shutDown(ctx, server, served)
}

func shutDown(ctx context.Context, server *http.Server, served <-chan error) error {
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownLimit)
	defer cancel()
	err := server.Shutdown(limited)
	if errors.Is(err, context.DeadlineExceeded) {
		err = server.Close() // what still hangs is cut off
	}
	<-served
	if err != nil {
		return fmt.Errorf("http shutdown: %w", err)
	}
	return nil
}
