package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"linegate/radiusd/client"
	"linegate/radiusd/wire"
)

func newBenchCommand(c *cli) *cobra.Command {
	return newGroup("bench", "Measure what a RADIUS server can take", nil,
		newBenchAuthCommand(c), newBenchAcctCommand(c), newBenchCallCommand(c), newBenchCoACommand(c), newBenchNASCommand(c),
		newBenchSubscribersCommand(), newBenchEchoCommand(), newBenchPreloadCommand(c), newBenchPeersCommand(c))
}

// loading are the flags that all loads have.
type loading struct {
	asking
	servers     []string
	subscribers string
	tries       int
	sockets     int
	window      int
	pids        []int
	settle      time.Duration
	seed        uint64
}

// addFlags adds the flags. address is the default server.
func (o *loading) addFlags(command *cobra.Command, address string) {
	flags := command.Flags()
	flags.StringSliceVar(&o.servers, "server", []string{address}, "HOST:PORT to ask; several share the sockets among them, and each is the next one for those of the others")
	o.addSecretFlags(command)
	flags.DurationVar(&o.timeout, "timeout", 3*time.Second, "how long to wait for an answer each time")
	flags.IntVar(&o.tries, "tries", 1, "how often to send a request, each time to the next server, before it counts as unanswered")
	flags.IntVar(&o.sockets, "sockets", 4, "sockets to ask from, each with a port of its own")
	flags.IntVar(&o.window, "window", 64, "requests of one socket under way at a time, 1 to 256")
	flags.IntSliceVar(&o.pids, "pid", nil, "process of the server on this machine, to measure its CPU time and memory with those of all processes it starts; several are added up")
	flags.DurationVar(&o.settle, "settle", 0, "how long to wait, at most, until the server rests after the load, before its CPU time is read")
	flags.Uint64Var(&o.seed, "seed", 1, "of all that is random")
}

// addSubscribersFlag adds the flag of loads that ask for subscribers.
func (o *loading) addSubscribersFlag(command *cobra.Command) {
	command.Flags().StringVar(&o.subscribers, "subscribers", "", "CSV file of subscribers")
	_ = command.MarkFlagRequired("subscribers") // fails only for a flag that does not exist
}

// load is what the flags describe, without what is asked.
func (o *loading) load(stdin io.Reader) (*client.Load, error) {
	signer, err := o.signer(stdin)
	if err != nil {
		return nil, err
	}
	if o.sockets < 1 || o.sockets > 1000 || o.window < 1 || o.window > 256 || o.tries < 1 || o.timeout <= 0 {
		return nil, errors.New("--sockets must be 1 to 1000, --window 1 to 256, --tries 1 or more, --timeout more than 0")
	}
	return &client.Load{
		Signer: signer, Timeout: o.timeout, Tries: o.tries,
		Sockets: o.sockets, Window: o.window, Seed: o.seed,
	}, nil
}

// head is what a report begins with. about is whom the load asks for.
func (o *loading) head(about ...property) record {
	head := append(record{{"server", strings.Join(o.servers, ",")}}, about...)
	return append(head, property{"sockets", o.sockets}, property{"window", o.window})
}

// subjectsHead is the head of a load that asks for subscribers.
func (o *loading) subjectsHead(subjects []client.Subject, left int) record {
	return o.head(property{"subscribers", len(subjects)}, property{"left_out", left})
}

// bench runs a load, watched by a meter, and shows the report: head, what became
// of the requests in general and in the words of the kind of load, and what was
// measured.
func (c *cli) bench(cmd *cobra.Command, load *client.Load, meter *benchMeter, head record, kind func(client.Result) record) (client.Result, error) {
	meter.progress = cmd.ErrOrStderr()
	if err := meter.begin(); err != nil {
		return client.Result{}, err
	}
	load.Observe = meter.observe
	result, err := load.Run(cmd.Context())
	if err != nil {
		return client.Result{}, err
	}
	if err := meter.end(cmd.Context(), result.Counts); err != nil {
		return client.Result{}, err
	}
	report := append(head, loadRecord(result)...)
	report = append(append(append(report, kind(result)...), latencyRecord(result)...), meter.record...)
	return result, show(cmd.OutOrStdout(), c.output, report)
}

// loadRecord is what became of the requests of any load.
func loadRecord(result client.Result) record {
	return record{
		{"seconds", rounded(result.Elapsed.Seconds())},
		{"sent", result.Sent}, {"retransmissions", result.Retransmissions}, {"answered", result.Answered()},
		{"answers_per_second", perSecond(result.Answered(), result)},
		{"timeouts", result.Timeouts}, {"bad_replies", result.BadReplies},
		{"late_replies", result.LateReplies}, {"network_errors", result.NetworkErrors},
	}
}

// loginRecord is what the Access-Requests were answered with.
func loginRecord(result client.Result) record {
	return record{
		{"accepts", result.Accepts}, {"rejects", result.Rejects}, {"other_answers", result.OtherAnswers},
		{"wrong_accepts", result.WrongAccepts}, {"wrong_rejects", result.WrongRejects},
	}
}

// latencyRecord holds microseconds.
func latencyRecord(result client.Result) record {
	latency := func(percentile float64) int64 { return result.Latency.ValueAtQuantile(percentile) }
	return record{
		{"latency_us_p50", latency(50)}, {"latency_us_p90", latency(90)}, {"latency_us_p99", latency(99)},
		{"latency_us_p999", latency(99.9)}, {"latency_us_max", result.Latency.Max()},
	}
}

func perSecond(count uint64, result client.Result) float64 {
	return rounded(float64(count) / result.Elapsed.Seconds())
}

// rounded keeps one digit behind the point.
func rounded(n float64) float64 { return float64(int64(n*10+0.5)) / 10 }

// verdict is the error of a load that did not go as it has to.
func (o *loading) verdict(result client.Result) error {
	servers := strings.Join(o.servers, ",")
	switch {
	case result.Wrong() > 0:
		return statusError{exitRejected, fmt.Errorf("%s: %d answers were wrong: %d accepts, %d rejects, %d neither",
			servers, result.Wrong(), result.WrongAccepts, result.WrongRejects, result.OtherAnswers)}
	case result.Answered() == 0:
		return statusError{exitNoAnswer, fmt.Errorf("%s: not one authentic answer: check the address, the secret, and the server's NAS entry for this machine", servers)}
	}
	return nil
}

// meter measures the processes that the flags name.
func (o *loading) meter(unit string, done func(client.Counts) uint64) *benchMeter {
	meter := &benchMeter{unit: unit, done: done, settle: o.settle}
	if len(o.pids) > 0 {
		meter.processes = &processes{pids: o.pids, proc: os.DirFS("/proc")}
	}
	return meter
}

// ownAttributes are in every request of a load, framed.
func ownAttributes() []byte { return wire.AppendText(nil, wire.NASIdentifier, ownName) }

// parseShare reads a flag's 10% or 0.1.
func parseShare(flag, text string) (float64, error) {
	digits, percent := strings.CutSuffix(text, "%")
	share, err := strconv.ParseFloat(digits, 64)
	if percent {
		share /= 100
	}
	if err != nil || !(share >= 0 && share <= 1) {
		return 0, fmt.Errorf("--%s: %q is not allowed: 0%% to 100%%", flag, text)
	}
	return share, nil
}

// pacing are the flags of loads that go on for a while.
type pacing struct {
	rate     string
	duration time.Duration
}

func (p *pacing) addFlags(command *cobra.Command, what string) {
	flags := command.Flags()
	flags.StringVar(&p.rate, "rate", "", what+" to begin in a second, e.g. 5000/s; latency then counts from the scheduled time (default: as fast as the server answers)")
	flags.DurationVar(&p.duration, "duration", time.Minute, "how long to go on")
}

// maxRate is more than one machine can ask.
const maxRate = 10_000_000

// pace reads 5000/s or 5000.
func (p *pacing) pace() (client.Pace, error) {
	pace := client.Pace{Duration: p.duration}
	if p.rate == "" {
		return pace, nil
	}
	var err error
	pace.Rate, err = strconv.ParseFloat(strings.TrimSuffix(p.rate, "/s"), 64)
	if err != nil || !(pace.Rate > 0 && pace.Rate <= maxRate) {
		return client.Pace{}, fmt.Errorf("--rate: %q is not allowed: more than 0/s, up to %d/s", p.rate, maxRate)
	}
	return pace, nil
}
