package main

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"
)

// processes are processes on this machine with all that they started, seen
// through Linux's /proc. A database's short-lived processes count, too: their
// times become those of their parent's ended children.
type processes struct {
	pids []int
	proc fs.FS
}

// usage is what processes have used so far.
type usage struct {
	cpu time.Duration // in user and kernel mode, all threads
	// Memory that several processes share counts for each of them.
	residentKiB int64
	peakKiB     int64 // the sum of the most that each had resident at a time
}

// clockTick is the unit of the times in /proc (proc(5): USER_HZ, 100 a second).
const clockTick = 10 * time.Millisecond

// usage adds up what the processes and their descendants have used.
func (p *processes) usage() (usage, error) {
	family, err := p.family()
	if err != nil {
		return usage{}, err
	}
	var sum usage
	for _, pid := range family {
		one, err := p.of(pid)
		if errors.Is(err, fs.ErrNotExist) && !p.named(pid) {
			continue // it has ended meanwhile
		}
		if err != nil {
			return usage{}, fmt.Errorf("process %d can't be measured: %w", pid, err)
		}
		sum.cpu += one.cpu
		sum.residentKiB += one.residentKiB
		sum.peakKiB += one.peakKiB
	}
	return sum, nil
}

func (p *processes) named(pid int) bool {
	for _, named := range p.pids {
		if named == pid {
			return true
		}
	}
	return false
}

// family returns the processes that are named, and the descendants of each, once.
func (p *processes) family() ([]int, error) {
	entries, err := fs.ReadDir(p.proc, ".")
	if err != nil {
		return nil, err
	}
	children := map[int][]int{}
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		if stat, err := p.stat(pid); err == nil {
			children[stat.parent] = append(children[stat.parent], pid)
		}
	}
	family := append([]int(nil), p.pids...)
	known := map[int]bool{}
	for _, pid := range family {
		known[pid] = true
	}
	for i := 0; i < len(family); i++ {
		for _, child := range children[family[i]] {
			if !known[child] {
				known[child] = true
				family = append(family, child)
			}
		}
	}
	return family, nil
}

// of is what one process and its ended children have used.
func (p *processes) of(pid int) (usage, error) {
	stat, err := p.stat(pid)
	if err != nil {
		return usage{}, err
	}
	status, err := fs.ReadFile(p.proc, fmt.Sprintf("%d/status", pid))
	if err != nil {
		return usage{}, err
	}
	return usage{
		cpu:         time.Duration(stat.ticks) * clockTick,
		residentKiB: statusKiB(string(status), "VmRSS:"),
		peakKiB:     statusKiB(string(status), "VmHWM:"),
	}, nil
}

// processStat is what /proc/PID/stat tells of a process.
type processStat struct {
	parent int
	ticks  int64 // user and kernel time, that of children that have ended included
}

func (p *processes) stat(pid int) (processStat, error) {
	text, err := fs.ReadFile(p.proc, fmt.Sprintf("%d/stat", pid))
	if err != nil {
		return processStat{}, err
	}
	// Behind the name, which stands in brackets and may hold anything, the parent is
	// field 2, and the times are fields 12 to 15.
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	if len(fields) < 15 {
		return processStat{}, fmt.Errorf("stat has %d fields", len(fields))
	}
	stat := processStat{}
	if stat.parent, err = strconv.Atoi(fields[1]); err != nil {
		return processStat{}, fmt.Errorf("its parent is %q", fields[1])
	}
	for _, field := range fields[11:15] {
		ticks, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return processStat{}, fmt.Errorf("one of its times is %q", field)
		}
		stat.ticks += ticks
	}
	return stat, nil
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
