package main

import (
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"
)

// process is a process on this machine, seen through Linux's /proc.
type process struct {
	pid  int
	proc fs.FS
}

// usage is what a process has used so far.
type usage struct {
	cpu         time.Duration // in user and kernel mode, all threads
	residentKiB int64
	peakKiB     int64 // the most that was resident at a time
}

// clockTick is the unit of the times in /proc (proc(5): USER_HZ, 100 a second).
const clockTick = 10 * time.Millisecond

func (p *process) usage() (usage, error) {
	times, err := fs.ReadFile(p.proc, fmt.Sprintf("%d/stat", p.pid))
	if err != nil {
		return usage{}, fmt.Errorf("process %d can't be measured: %w", p.pid, err)
	}
	status, err := fs.ReadFile(p.proc, fmt.Sprintf("%d/status", p.pid))
	if err != nil {
		return usage{}, fmt.Errorf("process %d can't be measured: %w", p.pid, err)
	}
	// Behind the name, which stands in brackets and may hold anything, user and
	// kernel time are fields 12 and 13.
	stat := string(times)
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	if len(fields) < 13 {
		return usage{}, fmt.Errorf("process %d can't be measured: stat has %d fields", p.pid, len(fields))
	}
	user, errUser := strconv.ParseInt(fields[11], 10, 64)
	kernel, errKernel := strconv.ParseInt(fields[12], 10, 64)
	if errUser != nil || errKernel != nil {
		return usage{}, fmt.Errorf("process %d can't be measured: its times are %q and %q", p.pid, fields[11], fields[12])
	}
	return usage{
		cpu:         time.Duration(user+kernel) * clockTick,
		residentKiB: statusKiB(string(status), "VmRSS:"),
		peakKiB:     statusKiB(string(status), "VmHWM:"),
	}, nil
}

// statusKiB finds a size in /proc/PID/status; 0 when it is not there.
func statusKiB(status, name string) int64 {
	for line := range strings.Lines(status) {
		if rest, found := strings.CutPrefix(line, name); found {
			size, _ := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
			return size
		}
	}
	return 0
}
