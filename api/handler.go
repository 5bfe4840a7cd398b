package api

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Check is one thing that must hold for the server to be of use.
type Check struct {
	Name string `json:"name"` // e.g. store, listeners, cache
	OK   bool   `json:"ok"`
	// Spare: the server is of use without it, with less behind it.
	Spare  bool   `json:"spare,omitempty"`
	Detail string `json:"detail,omitempty"` // what is missing, in words; never a secret
}

// Options are what the handler shows. Both are required.
type Options struct {
	Registry prometheus.Gatherer
	// Ready returns the state of each check; it must honour ctx and be safe for
	// concurrent use. No checks at all means ready.
	Ready func(ctx context.Context) []Check
}

const (
	readyLimit     = 2 * time.Second  // for all checks together
	metricsLimit   = 10 * time.Second // for one scrape
	metricsAtATime = 4                // scrapes under way
)

const index = `Linegate
/metrics  Prometheus metrics
/healthz  200 while the process lives
/readyz   200 when it can serve, if only from memory, else 503, with each check in JSON
`

// NewHandler returns the routes /, /metrics, /healthz and /readyz, for GET and
// HEAD.
func NewHandler(options Options) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", writeText(index))
	mux.HandleFunc("GET /healthz", writeText("ok\n"))
	mux.Handle("GET /readyz", readiness(options.Ready))
	mux.Handle("GET /metrics", promhttp.HandlerFor(options.Registry, promhttp.HandlerOpts{
		ErrorHandling:       promhttp.ContinueOnError,
		MaxRequestsInFlight: metricsAtATime,
		Timeout:             metricsLimit,
	}))
	return mux
}

func writeText(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		// An error means that the client is gone.
		_, _ = io.WriteString(w, text)
	}
}

// report is the body of /readyz.
type report struct {
	Ready  bool    `json:"ready"`
	Checks []Check `json:"checks"`
}

func readiness(ready func(context.Context) []Check) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		ctx, cancel := context.WithTimeout(request.Context(), readyLimit)
		defer cancel()
		found := report{Ready: true, Checks: append([]Check{}, ready(ctx)...)}
		for _, check := range found.Checks {
			found.Ready = found.Ready && (check.OK || check.Spare)
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		if !found.Ready {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		// An error means that the client is gone.
		_ = json.NewEncoder(w).Encode(found)
	})
}
