package telemetry

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"

	"gopkg.in/natefinch/lumberjack.v2"
)

// LogOptions say what is logged and where to. The zero value logs from level
// info to the process's standard error.
type LogOptions struct {
	Level  *slog.LevelVar // can be changed while logging; nil: info
	Stderr io.Writer      // nil: os.Stderr
	File   string         // path of a log file that is rotated; empty: none
}

// Rotation of the log file.
const (
	logFileMegabytes = 10
	logFileBackups   = 5
)

// Logger writes one JSON object per line, behind the caller: a line is queued
// and written by a goroutine of its output, so that a slow disk or pipe never
// holds up a packet. A line that finds a full queue is lost and counted. Safe
// for concurrent use.
type Logger struct {
	*slog.Logger
	outputs []*output
	file    io.WriteCloser // nil without a log file
}

// NewLogger opens the outputs; it fails when the log file can't be written.
// Close ends what it starts.
func NewLogger(options LogOptions) (*Logger, error) {
	level := options.Level
	if level == nil {
		level = &slog.LevelVar{}
	}
	stderr := options.Stderr
	if stderr == nil {
		stderr = os.Stderr
	}
	logger := &Logger{}
	if options.File != "" {
		file, err := openLogFile(options.File)
		if err != nil {
			return nil, err
		}
		logger.file = file
	}
	logger.outputs = startOutputs(stderr, logger.file, options.File)
	logger.Logger = slog.New(slog.NewJSONHandler(fanOut(logger.outputs), &slog.HandlerOptions{Level: level}))
	return logger, nil
}

func startOutputs(stderr, file io.Writer, path string) []*output {
	toStderr := newOutput(stderr, nil)
	if file == nil {
		return []*output{toStderr}
	}
	return []*output{toStderr, newOutput(file, fileFailed(toStderr, path))}
}

// openLogFile returns a file that rotates. It tries the path first, since
// rotation would only open it with the first line.
func openLogFile(path string) (io.WriteCloser, error) {
	probe, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("log file: %w", err)
	}
	if err := probe.Close(); err != nil {
		return nil, fmt.Errorf("log file: %w", err)
	}
	return &lumberjack.Logger{Filename: path, MaxSize: logFileMegabytes, MaxBackups: logFileBackups}, nil
}

// fileFailed tells on the other output that the file can't be written.
func fileFailed(other io.Writer, path string) func(error) {
	logger := slog.New(slog.NewJSONHandler(other, nil))
	return func(err error) {
		logger.Error("the log file can't be written; its lines are lost until it can",
			"event", EventLogOutputFailed, "file", path, "error", err.Error())
	}
}

// Dropped returns how many lines were lost since the start, summed over the
// outputs.
func (l *Logger) Dropped() uint64 {
	var sum uint64
	for _, output := range l.outputs {
		sum += output.dropped.Load()
	}
	return sum
}

// Close writes everything that is queued and ends the outputs' goroutines; it
// takes as long as the outputs take. What is logged afterwards still reaches
// them, without a queue: a last word is never lost.
func (l *Logger) Close() error {
	// The file's output may tell the first one of its last failure.
	for _, output := range slices.Backward(l.outputs) {
		output.close()
	}
	if l.file == nil {
		return nil
	}
	if err := l.file.Close(); err != nil {
		return fmt.Errorf("log file: %w", err)
	}
	return nil
}

// fanOut hands every line to all outputs.
type fanOut []*output

func (f fanOut) Write(line []byte) (int, error) {
	for _, output := range f {
		output.enqueue(line)
	}
	return len(line), nil
}
