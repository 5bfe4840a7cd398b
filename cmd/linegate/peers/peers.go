// Package peers measures Linegate beside FreeRADIUS on this machine, with the same
// load in turn, and compares what a request costs. It installs what is missing,
// configures and starts everything in a folder of its own and stops it again; it
// reads no configuration of this machine but the queries and the schema that
// FreeRADIUS is shipped with, and takes no part in the server. It needs Linux.
package peers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
)

// Options are what is compared, and how long.
type Options struct {
	Linegate    string        // path of the binary, which serves and asks
	Rows        []string      // names of rows; none: all
	Rounds      int           // of each measurement
	Subscribers int           // that most measurements are made with
	Many        int           // that stand for the largest network
	Each        time.Duration // of a measurement
	Progress    io.Writer     // a line for each step
}

// Validate says what is wrong with the options.
func (o *Options) Validate() error {
	for _, name := range o.Rows {
		if !slices.ContainsFunc(rows(), func(r Row) bool { return r.Name == name }) {
			return fmt.Errorf("row %q is not allowed: %s", name, strings.Join(RowNames(), ", "))
		}
	}
	if o.Rounds < 1 || o.Rounds > 100 || o.Subscribers < 1000 || o.Many <= o.fewer() || o.Each < time.Second {
		return errors.New("peers: 1 to 100 rounds, 1000 subscribers or more, many that are more, and a second or more for each measurement are allowed")
	}
	return nil
}

// fewer is the small network that the large one is compared with.
func (o *Options) fewer() int { return o.Subscribers / 10 }

// selected are the rows to measure.
func (o *Options) selected() []Row {
	if len(o.Rows) == 0 {
		return rows()
	}
	return slices.DeleteFunc(rows(), func(r Row) bool { return !slices.Contains(o.Rows, r.Name) })
}

// Run measures and compares. Everything that it starts has ended when it returns.
func Run(ctx context.Context, options Options) (report *Report, err error) {
	if err := options.Validate(); err != nil {
		return nil, err
	}
	before := loadAverage()
	folder, err := os.MkdirTemp("", "linegate-peers-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	if err := os.Chmod(folder, 0o755); err != nil { // PostgreSQL's user has to get through
		return nil, err
	}
	s := newStage(options, folder)
	defer func() { err = errors.Join(err, s.close()) }()

	selected := options.selected()
	wanted := s.wanted(selected)
	if err := install(ctx, serversOf(wanted), options.Progress); err != nil {
		return nil, err
	}
	samples, err := s.measure(ctx, wanted)
	if err != nil {
		return nil, err
	}
	return &Report{
		At: time.Now().UTC().Truncate(time.Second), Machine: machine(), CPUs: runtime.NumCPU(), LoadBefore: before, Versions: versions(ctx, options.Linegate),
		Subscribers: options.Subscribers, Many: options.Many, Rounds: options.Rounds, Seconds: options.Each.Seconds(),
		Results: compare(selected, samples), Measured: samples.list(),
	}, nil
}

// wanted are the measurements that the rows need.
func (s *stage) wanted(selected []Row) (wanted []measurement) {
	for _, m := range s.measurements() {
		if slices.ContainsFunc(selected, func(r Row) bool { return r.Figure == m.name || r.Against == m.name }) {
			wanted = append(wanted, m)
		}
	}
	return wanted
}

// serversOf names the servers that measurements need, each once.
func serversOf(wanted []measurement) (names []string) {
	for _, m := range wanted {
		for _, name := range m.servers {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}

// measure makes all measurements in turn, round by round, so that what disturbs the
// machine disturbs all of them alike. One that fails is made no more.
func (s *stage) measure(ctx context.Context, wanted []measurement) (*samples, error) {
	kept := newSamples()
	for _, m := range wanted {
		for _, name := range m.servers {
			if _, err := s.server(ctx, name); err != nil {
				kept.fail(m.name, err)
			}
		}
	}
	for round := range s.options.Rounds {
		for _, m := range wanted {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			if kept.failed[m.name] == "" {
				s.once(ctx, m, round, kept)
			}
		}
	}
	return kept, ctx.Err()
}

// once makes a measurement.
func (s *stage) once(ctx context.Context, m measurement, round int, kept *samples) {
	value, err := m.run(ctx)
	if err != nil {
		kept.fail(m.name, err)
		s.say("round %d  %-24s failed: %s", round+1, m.name, err)
		return
	}
	kept.add(m.name, m.unit, value)
	s.say("round %d  %-24s %12.1f %s", round+1, m.name, value, m.unit)
}

// say writes a line of progress.
func (s *stage) say(format string, args ...any) {
	fmt.Fprintf(s.options.Progress, format+"\n", args...)
}
