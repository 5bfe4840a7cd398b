package peers

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"linegate/store/postgres/installed"
)

// Report is what a run came to.
type Report struct {
	At          time.Time  `json:"at"`
	Machine     string     `json:"machine"`
	CPUs        int        `json:"cpus"`
	LoadBefore  float64    `json:"load_before"` // average of the minute before: what else runs here
	Versions    []string   `json:"versions"`
	Subscribers int        `json:"subscribers"`
	Many        int        `json:"many"`
	Rounds      int        `json:"rounds"`
	Seconds     float64    `json:"seconds"` // of a measurement
	Results     []Result   `json:"rows"`
	Measured    []Measured `json:"measurements"`
}

// Result is a row's outcome. Ratios are taken within a round, of which Ratio is the
// median; without a comparison they are the figures themselves.
type Result struct {
	Name    string  `json:"name"`
	Work    string  `json:"work"`
	Figure  float64 `json:"figure"` // medians
	Against float64 `json:"against,omitempty"`
	Unit    string  `json:"unit"`
	Ratio   float64 `json:"ratio"`
	Least   float64 `json:"least"`
	Most    float64 `json:"most"`
	Target  string  `json:"target"`
	Met     bool    `json:"met"`
	Failed  string  `json:"failed,omitempty"` // why there is no ratio
}

// Measured is one measurement's figures, a round each.
type Measured struct {
	Name   string    `json:"name"`
	Unit   string    `json:"unit"`
	Values []float64 `json:"values"`
	Failed string    `json:"failed,omitempty"`
}

// samples are the figures of all measurements, by name.
type samples struct {
	names  []string
	units  map[string]string
	values map[string][]float64
	failed map[string]string // by measurement: why it gives no more figures
}

func newSamples() *samples {
	return &samples{units: map[string]string{}, values: map[string][]float64{}, failed: map[string]string{}}
}

func (s *samples) add(name, unit string, value float64) {
	s.seen(name)
	s.units[name] = unit
	s.values[name] = append(s.values[name], value)
}

func (s *samples) fail(name string, err error) {
	s.seen(name)
	s.failed[name] = err.Error()
}

func (s *samples) seen(name string) {
	if !slices.Contains(s.names, name) {
		s.names = append(s.names, name)
	}
}

func (s *samples) list() (all []Measured) {
	for _, name := range s.names {
		all = append(all, Measured{Name: name, Unit: s.units[name], Values: s.values[name], Failed: s.failed[name]})
	}
	return all
}

// compare makes the rows' outcomes.
func compare(rows []Row, kept *samples) []Result {
	results := make([]Result, len(rows))
	for i, row := range rows {
		results[i] = row.compare(kept)
	}
	return results
}

func (r Row) compare(kept *samples) Result {
	result := Result{Name: r.Name, Work: r.Work, Target: r.target(), Unit: kept.units[r.Figure]}
	for _, name := range []string{r.Figure, r.Against} {
		if failed := kept.failed[name]; failed != "" {
			result.Failed = failed
			return result
		}
	}
	figures, against := kept.values[r.Figure], kept.values[r.Against]
	ratios := slices.Clone(figures)
	if r.Against != "" {
		for i := range ratios {
			if ratios[i] = figures[i] / against[i]; r.Less {
				ratios[i] = against[i] / figures[i]
			}
		}
		result.Against = median(against)
	}
	if len(ratios) == 0 {
		result.Failed = "not measured"
		return result
	}
	result.Figure, result.Ratio = median(figures), median(ratios)
	result.Least, result.Most = slices.Min(ratios), slices.Max(ratios)
	result.Met = result.Ratio <= r.Limit
	if r.Less {
		result.Met = result.Ratio >= r.Limit
	}
	return result
}

// target says what the row has to come to.
func (r Row) target() string {
	switch {
	case r.Against == "":
		return fmt.Sprintf("at most %g %s", r.Limit, r.Unit)
	case r.Less:
		return fmt.Sprintf("%g times less", r.Limit)
	}
	return fmt.Sprintf("at most %.3g times", r.Limit)
}

// median returns the middle of values, the mean of the two of an even number; 0 for none.
func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// Missed counts the rows that did not come to their target.
func (r *Report) Missed() (missed int) {
	for _, result := range r.Results {
		if !result.Met {
			missed++
		}
	}
	return missed
}

// Write writes the report for people.
func (r *Report) Write(out io.Writer) error {
	fmt.Fprintf(out, "%s, %s, %d CPUs, load average %.2f before the run\n", r.At.Format(time.DateOnly), r.Machine, r.CPUs, r.LoadBefore)
	for _, version := range r.Versions {
		fmt.Fprintln(out, version)
	}
	fmt.Fprintf(out, "%d subscribers, many are %d; medians of %d rounds of %g s, CPU time of the server and its database\n\n",
		r.Subscribers, r.Many, r.Rounds, r.Seconds)
	lines := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(lines, "ROW\tLINEGATE\tBESIDE\tUNIT\tRATIO\tSPREAD\tTARGET\tMET\tWORK")
	for _, result := range r.Results {
		if result.Failed != "" {
			fmt.Fprintf(lines, "%s\t\t\t\t\t\t%s\tnot measured\t%s\n", result.Name, result.Target, result.Work)
			continue
		}
		beside, ratio := "", ""
		if result.Against != 0 {
			beside, ratio = number(result.Against), number(result.Ratio)
		}
		met := "no"
		if result.Met {
			met = "yes"
		}
		fmt.Fprintf(lines, "%s\t%s\t%s\t%s\t%s\t%s-%s\t%s\t%s\t%s\n", result.Name, number(result.Figure), beside, result.Unit,
			ratio, number(result.Least), number(result.Most), result.Target, met, result.Work)
	}
	if err := lines.Flush(); err != nil {
		return err
	}
	told := map[string]bool{}
	for _, measured := range r.Measured {
		if failed := measured.Failed; failed != "" && !told[failed] {
			told[failed] = true
			fmt.Fprintf(out, "\n%s: %s\n", measured.Name, failed)
		}
	}
	_, err := fmt.Fprintf(out, "\n%d of %d targets met\n", len(r.Results)-r.Missed(), len(r.Results))
	return err
}

// number keeps three digits of small numbers and no fraction of large ones.
func number(n float64) string {
	switch {
	case n >= 100:
		return fmt.Sprintf("%.0f", n)
	case n >= 10:
		return fmt.Sprintf("%.1f", n)
	}
	return fmt.Sprintf("%.2f", n)
}

// loadAverage is that of the minute before; 0 when it can't be read.
func loadAverage() float64 {
	text, _ := os.ReadFile("/proc/loadavg")
	first, _, _ := strings.Cut(string(text), " ")
	load, _ := strconv.ParseFloat(first, 64)
	return load
}

// machine is the processor's name.
func machine() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "unknown processor"
	}
	for line := range strings.Lines(string(text)) {
		if name, value, found := strings.Cut(line, ":"); found && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown processor"
}

// versions are what took part, a line each.
func versions(ctx context.Context, linegate string) (lines []string) {
	ask := func(name string, path string, args ...string) {
		said, err := exec.CommandContext(ctx, path, args...).CombinedOutput()
		if err != nil {
			said = []byte("unknown version")
		}
		first, _, _ := bytes.Cut(bytes.TrimSpace(said), []byte("\n"))
		lines = append(lines, name+": "+strings.Join(strings.Fields(string(first)), " "))
	}
	ask("Linegate", linegate, "version")
	if path, err := freeRADIUSBinary(); err == nil {
		ask("FreeRADIUS", path, "-v")
	}
	if folder, err := installed.Programs(); err == nil {
		ask("PostgreSQL", folder+"/postgres", "--version")
	}
	ask("kernel", "uname", "-sr")
	return lines
}
