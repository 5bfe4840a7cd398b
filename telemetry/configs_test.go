package telemetry

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// selector is a metric in a query, with its matchers when it has some.
var (
	selector = regexp.MustCompile(`\b((?:radius|linegate)_[a-z0-9_]+)\b(?:\{([^}]*)\})?`)
	matcher  = regexp.MustCompile(`([a-z_0-9]+)\s*=~?`)
	grouping = regexp.MustCompile(`\bby \(([^)]*)\)`)
)

func TestAlertRulesNameRegisteredMetrics(t *testing.T) {
	var file struct {
		Groups []struct {
			Name     string
			Interval string
			Rules    []struct {
				Alert, Expr, For    string
				Labels, Annotations map[string]string
			}
		}
	}
	text, err := os.ReadFile("../configs/prometheus-alerts.yaml")
	require.NoError(t, err)
	require.NoError(t, yaml.Unmarshal(text, &file))

	require.NotEmpty(t, file.Groups)
	for _, group := range file.Groups {
		for _, rule := range group.Rules {
			t.Run(rule.Alert, func(t *testing.T) {
				checkQuery(t, rule.Expr)
				assert.Contains(t, []string{"info", "warning", "critical"}, rule.Labels["severity"])
				assert.NotEmpty(t, rule.Annotations["summary"])
				assert.NotEmpty(t, rule.Annotations["description"])
			})
		}
	}
}

func TestDashboardNamesRegisteredMetrics(t *testing.T) {
	var board struct {
		Title  string
		Panels []struct {
			ID      int
			Title   string
			GridPos struct{ X, Y, W, H int }
			Targets []struct{ Expr string }
		}
	}
	text, err := os.ReadFile("../configs/grafana-radius-enforcement.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &board))

	require.NotEmpty(t, board.Panels)
	ids := map[int]bool{}
	for _, panel := range board.Panels {
		t.Run(panel.Title, func(t *testing.T) {
			assert.False(t, ids[panel.ID], "id %d twice", panel.ID)
			ids[panel.ID] = true
			assert.LessOrEqual(t, panel.GridPos.X+panel.GridPos.W, 24, "wider than the grid")
			require.NotEmpty(t, panel.Targets)
			for _, target := range panel.Targets {
				checkQuery(t, target.Expr)
			}
		})
	}
}

// checkQuery looks for every metric of ours and for the labels used with it.
func checkQuery(t *testing.T, query string) {
	t.Helper()
	labels := []string{"instance", "job", "le"}
	found := selector.FindAllStringSubmatch(query, -1)
	require.NotEmpty(t, found, "no metric of ours in %q", query)
	for _, match := range found {
		definition := defined(match[1])
		if !assert.NotNil(t, definition, "%s is not registered", match[1]) {
			continue
		}
		labels = append(labels, definition.Labels...)
		for _, name := range matcher.FindAllStringSubmatch(match[2], -1) {
			assert.Contains(t, definition.Labels, name[1], "label of %s", match[1])
		}
	}
	for _, by := range grouping.FindAllStringSubmatch(query, -1) {
		for name := range strings.SplitSeq(by[1], ",") {
			assert.Contains(t, labels, strings.TrimSpace(name), "in %q", query)
		}
	}
	assert.Equal(t, strings.Count(query, "("), strings.Count(query, ")"), "parentheses of %q", query)
}

func defined(name string) *Definition {
	for _, definition := range NewMetrics().Definitions() {
		series := []string{definition.Name}
		if definition.Kind == KindHistogram {
			series = []string{definition.Name + "_bucket", definition.Name + "_sum", definition.Name + "_count"}
		}
		if slices.Contains(series, name) {
			return &definition
		}
	}
	return nil
}
