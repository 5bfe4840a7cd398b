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
		newBenchAuthCommand(c), newBenchSubscribersCommand())
}

// benchOptions are the flags of `linegate bench auth`.
type benchOptions struct {
	asking
	subscribers string
	wrong       string
	method      string
	duration    time.Duration
	sockets     int
	window      int
	pid         int
	seed        uint64
}

func newBenchAuthCommand(c *cli) *cobra.Command {
	var options benchOptions
	command := &cobra.Command{
		Use:   "auth",
		Short: "Ask a server as fast as it answers, and check every answer",
		Long: "Ask a RADIUS server as fast as it answers, for every subscriber of a CSV file in turn, and compare\n" +
			"each answer with the one that is due: accept from the right line, reject from a wrong line under\n" +
			"the policy enforce. The file is the one that was imported (`linegate profile import`); subscribers\n" +
			"that are not active, and those whose password is a hash, are left out.\n" +
			"Exit status: 0 all answers right, 1 an answer was wrong, 2 nothing was answered.",
		Example: "  linegate bench subscribers --count 100000 > subs.csv\n" +
			"  linegate bench auth --subscribers subs.csv --wrong 10% --duration 60s --pid $(pidof linegate)",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.benchAuth(cmd, options) },
	}
	flags := command.Flags()
	flags.StringVar(&options.server, "server", demoAuth, "HOST:PORT to ask")
	options.addSecretFlags(command)
	flags.DurationVar(&options.timeout, "timeout", 3*time.Second, "when a request counts as unanswered")
	flags.StringVar(&options.subscribers, "subscribers", "", "CSV file of subscribers")
	flags.StringVar(&options.wrong, "wrong", "10%", "share of requests from a wrong line, 0% to 100%")
	addMethodFlag(command, &options.method, string(client.MethodPAP), "how the password is proven: ")
	flags.DurationVar(&options.duration, "duration", time.Minute, "how long to go on")
	flags.IntVar(&options.sockets, "sockets", 4, "sockets to ask from")
	flags.IntVar(&options.window, "window", 64, "requests of one socket under way at a time, 1 to 256")
	flags.IntVar(&options.pid, "pid", 0, "process of the server on this machine, to measure its CPU time and memory")
	flags.Uint64Var(&options.seed, "seed", 1, "which requests come from a wrong line")
	_ = command.MarkFlagRequired("subscribers") // fails only for a flag that does not exist
	return command
}

func (c *cli) benchAuth(cmd *cobra.Command, options benchOptions) error {
	flood, left, err := options.flood(cmd.InOrStdin())
	if err != nil {
		return err
	}
	meter := &benchMeter{progress: cmd.ErrOrStderr()}
	if options.pid != 0 {
		meter.process = &process{pid: options.pid, proc: os.DirFS("/proc")}
	}
	if err := meter.begin(); err != nil {
		return err
	}
	flood.Observe = meter.observe
	result, err := flood.Run(cmd.Context())
	if err != nil {
		return err
	}
	if err := meter.end(result.Counts); err != nil {
		return err
	}
	report := append(record{
		{"server", options.server}, {"method", options.method},
		{"subscribers", len(flood.Subjects)}, {"left_out", left},
		{"sockets", options.sockets}, {"window", options.window},
	}, floodRecord(result)...)
	if err := show(cmd.OutOrStdout(), c.output, append(report, meter.record...)); err != nil {
		return err
	}
	return verdict(options.server, result)
}

// flood is what the flags describe. left is how many subscribers are left out.
func (o benchOptions) flood(stdin io.Reader) (flood *client.Flood, left int, err error) {
	signer, err := o.signer(stdin)
	if err != nil {
		return nil, 0, err
	}
	method, err := client.ParseMethod(o.method)
	if err != nil {
		return nil, 0, err
	}
	wrong, err := parseShare(o.wrong)
	if err != nil {
		return nil, 0, err
	}
	if o.sockets < 1 || o.sockets > 1000 || o.window < 1 || o.window > 256 || o.timeout <= 0 {
		return nil, 0, errors.New("--sockets must be 1 to 1000, --window 1 to 256, --timeout more than 0")
	}
	subjects, left, err := readSubjects(o.subscribers)
	if err != nil {
		return nil, 0, err
	}
	return &client.Flood{
		Server: client.Server{Address: o.server, Signer: signer, Timeout: o.timeout},
		Method: method, Attributes: wire.AppendText(nil, wire.NASIdentifier, ownName),
		Subjects: subjects, WrongShare: wrong,
		Duration: o.duration, Sockets: o.sockets, Window: o.window, Seed: o.seed,
	}, left, nil
}

// parseShare reads 10% or 0.1.
func parseShare(text string) (float64, error) {
	digits, percent := strings.CutSuffix(text, "%")
	share, err := strconv.ParseFloat(digits, 64)
	if percent {
		share /= 100
	}
	if err != nil || !(share >= 0 && share <= 1) {
		return 0, fmt.Errorf("--wrong: %q is not allowed: 0%% to 100%%", text)
	}
	return share, nil
}

// floodRecord is what a flood came to; times are microseconds.
func floodRecord(result client.FloodResult) record {
	latency := func(percentile float64) int64 { return result.Latency.ValueAtQuantile(percentile) }
	return record{
		{"seconds", rounded(result.Elapsed.Seconds())},
		{"sent", result.Sent}, {"answered", result.Answered()},
		{"answers_per_second", rounded(float64(result.Answered()) / result.Elapsed.Seconds())},
		{"accepts", result.Accepts}, {"rejects", result.Rejects}, {"other_answers", result.OtherAnswers},
		{"wrong_accepts", result.WrongAccepts}, {"wrong_rejects", result.WrongRejects},
		{"timeouts", result.Timeouts}, {"bad_replies", result.BadReplies},
		{"late_replies", result.LateReplies}, {"network_errors", result.NetworkErrors},
		{"latency_us_p50", latency(50)}, {"latency_us_p90", latency(90)}, {"latency_us_p99", latency(99)},
		{"latency_us_p999", latency(99.9)}, {"latency_us_max", result.Latency.Max()},
	}
}

// rounded keeps one digit behind the point.
func rounded(n float64) float64 { return float64(int64(n*10+0.5)) / 10 }

// verdict is the error of a flood that did not go as it has to.
func verdict(server string, result client.FloodResult) error {
	switch {
	case result.Wrong() > 0:
		return statusError{exitRejected, fmt.Errorf("%s: %d answers were wrong: %d accepts, %d rejects, %d neither",
			server, result.Wrong(), result.WrongAccepts, result.WrongRejects, result.OtherAnswers)}
	case result.Answered() == 0:
		return statusError{exitNoAnswer, fmt.Errorf("%s: not one authentic answer: check the address, the secret, and the server's NAS entry for this machine", server)}
	}
	return nil
}
