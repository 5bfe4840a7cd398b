package telemetry

import (
	"fmt"
	"io"
	"strings"

	"linegate"
)

const referenceIntro = `# Metrics

What ` + "`/metrics`" + ` shows, beside the usual ` + "`go_*` and `process_*`" + ` of the Go runtime and the
process. Durations are in seconds. Every label takes its values from a closed list or from the
configuration, so no packet can make a new series. This page is generated from the registry:
` + "`go test ./telemetry -run Reference -update`" + `.

| metric | type | labels | meaning |
|---|---|---|---|
`

// WriteReference writes the reference of all metrics in Markdown.
func (m *Metrics) WriteReference(to io.Writer) error {
	page := &strings.Builder{}
	page.WriteString(referenceIntro)
	for _, metric := range m.Definitions() {
		fmt.Fprintf(page, "| `%s` | %s | %s | %s |\n", metric.Name, metric.Kind, strings.Join(metric.Labels, ", "), metric.Help)
	}
	page.WriteString("\n## Values of `reason` in `radius_drops_total`\n\n")
	for _, drop := range Drops() {
		fmt.Fprintf(page, "- `%s`\n", drop)
	}
	page.WriteString("\n## Values of `reason` in `radius_coa_relay_drops_total`\n\n")
	for _, drop := range linegate.RelayDrops() {
		fmt.Fprintf(page, "- `%s`\n", drop)
	}
	if _, err := io.WriteString(to, page.String()); err != nil {
		return fmt.Errorf("metrics reference: %w", err)
	}
	return nil
}
