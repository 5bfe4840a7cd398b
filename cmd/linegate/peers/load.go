package peers

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
)

// figures are what `linegate bench` reports.
type figures struct {
	Answered      float64 `json:"answered"`
	PerSecond     float64 `json:"answers_per_second"`
	CPUPerRequest float64 `json:"server_cpu_us_per_request"`
	CPUPerCall    float64 `json:"server_cpu_us_per_call"`
	CPUSeconds    float64 `json:"server_cpu_seconds"`
	P50           float64 `json:"latency_us_p50"`
	P99           float64 `json:"latency_us_p99"`
}

// bench loads a server that runs and returns what was measured. A wrong answer is
// an error.
func (s *stage) bench(ctx context.Context, name, kind string, flags ...string) (figures, error) {
	server := s.running[name]
	args := []string{"bench", kind, "--output", "json", "--secret", secret,
		"--subscribers", server.subscribers, "--duration", s.options.Each.String()}
	switch kind {
	case "auth":
		args = append(args, "--server", server.auth, "--wrong", "0%")
	case "acct":
		args = append(args, "--server", server.acct, "--tries", "5")
	case "call":
		args = append(args, "--server", server.auth, "--acct-server", server.acct, "--tries", "5")
	}
	for _, pid := range server.pids {
		args = append(args, "--pid", strconv.Itoa(pid))
	}
	out, err := s.linegate(ctx, append(args, flags...)...)
	if err != nil {
		return figures{}, err
	}
	var found figures
	if err := json.Unmarshal(out, &found); err != nil {
		return figures{}, fmt.Errorf("bench %s: %w", kind, err)
	}
	return found, nil
}

// linegate runs a command of the binary and returns what it prints.
func (s *stage) linegate(ctx context.Context, args ...string) ([]byte, error) {
	command := exec.CommandContext(ctx, s.options.Linegate, args...)
	command.Dir = s.folder
	var out, said bytes.Buffer
	command.Stdout, command.Stderr = &out, &said
	if err := command.Run(); err != nil {
		return nil, fmt.Errorf("linegate %s: %w: %s", strings.Join(args[:2], " "), err, bytes.TrimSpace(said.Bytes()))
	}
	return out.Bytes(), nil
}
