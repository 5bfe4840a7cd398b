package api_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"linegate/api"
)

func handler(checks ...api.Check) http.Handler {
	registry := prometheus.NewRegistry()
	counter := prometheus.NewCounter(prometheus.CounterOpts{Name: "radius_test_total", Help: "Counts."})
	counter.Inc()
	registry.MustRegister(counter)
	return api.NewHandler(api.Options{
		Registry: registry,
		Ready:    func(context.Context) []api.Check { return checks },
	})
}

func get(handler http.Handler, method, path string) *httptest.ResponseRecorder {
	answer := httptest.NewRecorder()
	handler.ServeHTTP(answer, httptest.NewRequest(method, path, nil))
	return answer
}

func TestRoutes(t *testing.T) {
	cases := map[string]struct {
		method, path string
		status       int
		contains     string
	}{
		"the index names the routes":         {"GET", "/", 200, "/metrics"},
		"metrics come from the registry":     {"GET", "/metrics", 200, "radius_test_total 1"},
		"a living process is healthy":        {"GET", "/healthz", 200, "ok"},
		"HEAD is enough for a load balancer": {"HEAD", "/healthz", 200, ""},
		"an unknown path is not found":       {"GET", "/admin", 404, ""},
		"nothing can be written":             {"POST", "/healthz", 405, ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			answer := get(handler(), c.method, c.path)
			assert.Equal(t, c.status, answer.Code)
			assert.Contains(t, answer.Body.String(), c.contains)
		})
	}
}

func TestReadiness(t *testing.T) {
	cases := map[string]struct {
		checks []api.Check
		status int
		body   string
	}{
		"all that holds is ready": {
			[]api.Check{{Name: "store", OK: true}, {Name: "listeners", OK: true}}, 200,
			`{"ready":true,"checks":[{"name":"store","ok":true},{"name":"listeners","ok":true}]}`},
		"one that fails is enough not to be": {
			[]api.Check{{Name: "store", Detail: "does not answer"}, {Name: "cache", OK: true}}, 503,
			`{"ready":false,"checks":[{"name":"store","ok":false,"detail":"does not answer"},{"name":"cache","ok":true}]}`},
		"a spare that fails is told, and no more": {
			[]api.Check{{Name: "store", Spare: true, Detail: "does not answer"}, {Name: "cache", OK: true}}, 200,
			`{"ready":true,"checks":[{"name":"store","ok":false,"spare":true,"detail":"does not answer"},{"name":"cache","ok":true}]}`},
		"nothing to check is ready": {nil, 200, `{"ready":true,"checks":[]}`},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			answer := get(handler(c.checks...), "GET", "/readyz")
			assert.Equal(t, c.status, answer.Code)
			assert.JSONEq(t, c.body, answer.Body.String())
			assert.Equal(t, "application/json", answer.Header().Get("Content-Type"))
		})
	}
}

func TestAHangingCheckIsGivenTwoSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hanging := api.NewHandler(api.Options{
			Registry: prometheus.NewRegistry(),
			Ready: func(ctx context.Context) []api.Check {
				<-ctx.Done()
				return []api.Check{{Name: "store", Detail: context.Cause(ctx).Error()}}
			},
		})
		began := time.Now()
		answer := get(hanging, "GET", "/readyz")
		assert.Equal(t, 503, answer.Code)
		assert.Equal(t, 2*time.Second, time.Since(began))
	})
}

// broken is a metric that can't be collected.
type broken struct{ desc *prometheus.Desc }

func (b broken) Describe(to chan<- *prometheus.Desc) { to <- b.desc }
func (b broken) Collect(to chan<- prometheus.Metric) {
	to <- prometheus.NewInvalidMetric(b.desc, errors.New("broken"))
}

func TestOneBrokenMetricDoesNotHideTheOthers(t *testing.T) {
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		broken{prometheus.NewDesc("broken", "Broken.", nil, nil)},
		prometheus.NewGauge(prometheus.GaugeOpts{Name: "whole", Help: "Whole."}),
	)
	answer := get(api.NewHandler(api.Options{Registry: registry}), "GET", "/metrics")
	require.Equal(t, 200, answer.Code)
	assert.Contains(t, answer.Body.String(), "whole 0")
}
