package peers

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"
)

// measurement makes one figure a round.
type measurement struct {
	name    string
	unit    string
	servers []string // that have to run
	run     func(ctx context.Context) (float64, error)
}

// microseconds of CPU time, and what else figures are in.
const (
	microseconds = "us"
	perSecond    = "/s"
)

// measurements are all there are, in the order in which a round makes them.
func (s *stage) measurements() []measurement {
	auth := func(name, server string, flags ...string) measurement {
		return measurement{name, microseconds, []string{server}, s.cpuOf(server, "auth", flags...)}
	}
	acct := func(name, server string) measurement {
		return measurement{name, microseconds, []string{server}, s.cpuOf(server, "acct")}
	}
	call := func(name, server string) measurement {
		return measurement{name, microseconds, []string{server}, s.cpuOf(server, "call")}
	}
	return []measurement{
		auth(echoed, echoServer, "--floor"),
		auth(accept, onSQLite),
		auth(acceptUsers, freeRADIUSUsers),
		auth(acceptSQL, freeRADIUSSQL),
		auth(acceptCHAP, onSQLite, "--method", "chap"),
		auth(acceptMSCHAPv2, onSQLite, "--method", "mschapv2"),
		auth(reject, onSQLite, "--wrong", "100%"),
		{besideAccepts, perSecond, []string{onSQLite}, s.acceptsBeside("0%")},
		{besideRejects, perSecond, []string{onSQLite}, s.acceptsBeside("100%")},
		acct(acctSQLite, onSQLite),
		acct(acctPostgres, onPostgres),
		acct(acctSQL, freeRADIUSSQL),
		call(callSQLite, onSQLite),
		call(callPreloaded, preloaded),
		call(callPostgres, onPostgres),
		call(callSQL, freeRADIUSSQL),
		{p50, microseconds, []string{onSQLite, freeRADIUSUsers}, s.latencyOf(onSQLite, func(f figures) float64 { return f.P50 })},
		{p99, microseconds, []string{onSQLite, freeRADIUSUsers}, s.latencyOf(onSQLite, func(f figures) float64 { return f.P99 })},
		{p50Users, microseconds, []string{freeRADIUSUsers}, s.latencyOf(freeRADIUSUsers, func(f figures) float64 { return f.P50 })},
		{p99Users, microseconds, []string{freeRADIUSUsers}, s.latencyOf(freeRADIUSUsers, func(f figures) float64 { return f.P99 })},
		{goodputFull, perSecond, []string{onSQLite}, s.goodput(0)},
		{goodputOver, perSecond, []string{onSQLite}, s.goodput(3)},
		auth(acceptFew, withFew),
		auth(acceptMany, withMany),
		{memory, "bytes", []string{withFew, withMany}, s.memoryEach},
		{startSQLite, "s", []string{withMany}, s.restart(withMany)},
		{startPostgres, "s", []string{withManyPostgres}, s.restart(withManyPostgres)},
	}
}

// closedLoop are the flags that ask as fast as is answered, from enough sockets for
// the kernel to spread them evenly.
var closedLoop = []string{"--sockets", "16", "--window", "16"}

// cpuOf measures the CPU time of a server's processes for each request or call.
func (s *stage) cpuOf(name, kind string, flags ...string) func(context.Context) (float64, error) {
	return func(ctx context.Context) (float64, error) {
		found, err := s.bench(ctx, name, kind, append(closedLoop[:len(closedLoop):len(closedLoop)], flags...)...)
		if err != nil {
			return 0, err
		}
		if kind == "call" {
			return found.CPUPerCall, nil
		}
		return found.CPUPerRequest, nil
	}
}

// acceptsBeside measures how many accepts there are in a second beside a second
// load of as many requests at a time, of which the given share is from wrong lines.
func (s *stage) acceptsBeside(wrong string) func(context.Context) (float64, error) {
	half := []string{"--sockets", "8", "--window", "16"}
	return func(ctx context.Context) (rate float64, err error) {
		group, ctx := errgroup.WithContext(ctx)
		group.Go(func() error {
			found, err := s.bench(ctx, onSQLite, "auth", half...)
			rate = found.PerSecond
			return err
		})
		group.Go(func() error {
			_, err := s.bench(ctx, onSQLite, "auth", append(half[:len(half):len(half)], "--wrong", wrong)...)
			return err
		})
		err = group.Wait()
		return rate, err
	}
}

// latencyOf measures at half of what FreeRADIUS with a users file can answer.
func (s *stage) latencyOf(name string, pick func(figures) float64) func(context.Context) (float64, error) {
	return func(ctx context.Context) (float64, error) {
		found, err := s.paced[name], error(nil)
		delete(s.paced, name) // one run gives both percentiles
		if found == nil {
			found, err = s.atHalf(ctx, name)
			s.paced[name] = found
		}
		if err != nil {
			return 0, err
		}
		return pick(*found), nil
	}
}

// atHalf runs at half of FreeRADIUS's maximum, which is found out once.
func (s *stage) atHalf(ctx context.Context, name string) (*figures, error) {
	if s.half == 0 {
		found, err := s.bench(ctx, freeRADIUSUsers, "auth", closedLoop...)
		if err != nil {
			return nil, err
		}
		s.half = int(found.PerSecond / 2)
		s.say("half of the maximum of FreeRADIUS with a users file is %d/s", s.half)
	}
	found, err := s.bench(ctx, name, "auth", "--sockets", "16", "--window", "256", "--rate", strconv.Itoa(s.half))
	return &found, err
}

// goodput measures how many answers came in time for a second of the server's CPU
// time, asked as fast as it answers (times 0) or that many times as fast. CPU time
// makes the two comparable where the asking side takes part of the same CPUs.
func (s *stage) goodput(times int) func(context.Context) (float64, error) {
	return func(ctx context.Context) (float64, error) {
		flags := closedLoop
		if times > 0 {
			if s.full == 0 {
				return 0, errors.New("the maximum is not known")
			}
			flags = []string{"--sockets", "64", "--window", "256", "--timeout", "1s", "--rate", strconv.Itoa(times * s.full)}
		}
		found, err := s.bench(ctx, onSQLite, "auth", flags...)
		if err != nil {
			return 0, err
		}
		if times == 0 {
			s.full = int(found.PerSecond)
		}
		return found.Answered / found.CPUSeconds, nil
	}
}

// memoryEach compares what two servers have resident that differ in the number of
// their subscribers.
func (s *stage) memoryEach(context.Context) (float64, error) {
	many, err := residentKiB(s.running[withMany].pids[0])
	if err != nil {
		return 0, err
	}
	few, err := residentKiB(s.running[withFew].pids[0])
	if err != nil {
		return 0, err
	}
	return 1024 * float64(many-few) / float64(s.options.Many-s.options.fewer()), nil
}

// restart measures the time from a start to the first answer.
func (s *stage) restart(name string) func(context.Context) (float64, error) {
	return func(ctx context.Context) (float64, error) {
		server := s.running[name]
		if err := server.stop(); err != nil {
			return 0, err
		}
		begin := time.Now()
		if err := server.start(ctx); err != nil {
			return 0, err
		}
		took := time.Since(begin).Seconds()
		if err := server.settle(ctx); err != nil {
			return 0, fmt.Errorf("%s: %w", name, err)
		}
		return took, nil
	}
}
