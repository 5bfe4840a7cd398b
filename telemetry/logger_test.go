package telemetry

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestLoggerWritesJSONLinesToStderrAndFile(t *testing.T) {
	var stderr bytes.Buffer
	path := filepath.Join(t.TempDir(), "linegate.log")
	logger, err := NewLogger(LogOptions{Stderr: &stderr, File: path})
	require.NoError(t, err)
	for n := range 100 {
		logger.Info("counted", "n", n)
	}
	logger.Debug("below the level")
	require.NoError(t, logger.Close())

	file, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, stderr.String(), string(file))
	lines := decode(t, stderr.String())
	require.Len(t, lines, 100)
	for n, line := range lines {
		assert.Equal(t, float64(n), line["n"])
		assert.Equal(t, "INFO", line["level"])
		assert.NotEmpty(t, line["time"])
	}
	assert.Zero(t, logger.Dropped())
}

func TestLevelCanChangeWhileLogging(t *testing.T) {
	var stderr bytes.Buffer
	level := &slog.LevelVar{}
	logger, err := NewLogger(LogOptions{Level: level, Stderr: &stderr})
	require.NoError(t, err)
	logger.Debug("one")
	level.Set(slog.LevelDebug)
	logger.Debug("two")
	require.NoError(t, logger.Close())
	require.Len(t, decode(t, stderr.String()), 1)
}

func TestNewLoggerFailsWhenTheFileCannotBeWritten(t *testing.T) {
	_, err := NewLogger(LogOptions{File: filepath.Join(t.TempDir(), "missing", "linegate.log")})
	require.ErrorIs(t, err, os.ErrNotExist)
	assert.ErrorContains(t, err, "log file: ")
}

func TestLogFileRotatesAtTenMegabytes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "linegate.log")
	logger, err := NewLogger(LogOptions{Stderr: &bytes.Buffer{}, File: path})
	require.NoError(t, err)
	megabyte := bytes.Repeat([]byte{'x'}, 1<<20)
	for range 12 {
		_, err := logger.file.Write(megabyte)
		require.NoError(t, err)
	}
	require.NoError(t, logger.Close())
	backups, err := filepath.Glob(filepath.Join(filepath.Dir(path), "linegate-*.log"))
	require.NoError(t, err)
	require.Len(t, backups, 1)
	for file, want := range map[string]int64{backups[0]: 10 << 20, path: 2 << 20} {
		info, err := os.Stat(file)
		require.NoError(t, err)
		assert.Equal(t, want, info.Size())
		assert.Equal(t, os.FileMode(0o600), info.Mode())
	}
}

func TestLastWordsAfterCloseAreNotLost(t *testing.T) {
	var stderr bytes.Buffer
	logger, err := NewLogger(LogOptions{Stderr: &stderr})
	require.NoError(t, err)
	logger.Info("first")
	require.NoError(t, logger.Close())
	logger.Error("last")
	assert.Equal(t, "last", decode(t, stderr.String())[1]["msg"])
}

func TestAStalledOutputNeitherBlocksNorGrows(t *testing.T) {
	stalled := newGate()
	logger, err := NewLogger(LogOptions{Stderr: stalled})
	require.NoError(t, err)
	logger.Info("first")
	<-stalled.reached // the writer hangs in its first write

	const lineOctets = 64 << 10
	long := strings.Repeat("x", lineOctets)
	const lines = 2 * queueOctets / lineOctets
	for range lines {
		logger.Info(long) // returns although nobody reads
	}
	dropped := logger.Dropped()
	assert.Greater(t, dropped, uint64(lines/3))
	assert.LessOrEqual(t, len(logger.outputs[0].queue), queueOctets)

	close(stalled.open)
	require.NoError(t, logger.Close())
	written := decode(t, stalled.buffer.String())
	last := written[len(written)-1]
	assert.Equal(t, EventLogLinesLost, last["event"])
	assert.Equal(t, float64(dropped), last["lost"], "the log says how many lines it lacks")
	assert.Equal(t, 1+lines, len(written)-1+int(dropped), "every line is written or counted")
}

func TestOneStalledOutputDoesNotHoldUpTheOther(t *testing.T) {
	stalled := newGate()
	path := filepath.Join(t.TempDir(), "linegate.log")
	logger, err := NewLogger(LogOptions{Stderr: stalled, File: path})
	require.NoError(t, err)
	logger.Info("first")
	<-stalled.reached
	logger.outputs[1].close()
	file, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Contains(t, string(file), "first")
	close(stalled.open)
	require.NoError(t, logger.Close())
}

func TestAFailingOutputCountsItsLinesAndTellsOnce(t *testing.T) {
	broken := &flaky{fail: errors.New("disk full")}
	var told []error
	o := newOutput(broken, func(err error) { told = append(told, err) })
	for range 3 {
		o.enqueue([]byte("a\nb\n"))
		broken.await()
	}
	broken.set(nil)
	o.enqueue([]byte("{\"msg\":\"c\"}\n"))
	o.close()

	assert.Equal(t, uint64(6), o.dropped.Load())
	assert.Equal(t, []error{broken.was}, told, "only the first of several failures is told")
	lines := decode(t, broken.buffer.String())
	require.Len(t, lines, 2)
	assert.Equal(t, 6.0, lines[1]["lost"])

	broken.set(errors.New("gone"))
	o.enqueue([]byte("d\n"))
	assert.Equal(t, uint64(7), o.dropped.Load(), "after close too")
}

func TestAFailingFileIsToldOnStderr(t *testing.T) {
	var stderr bytes.Buffer
	toStderr := newOutput(&stderr, nil)
	fileFailed(toStderr, "linegate.log")(errors.New("disk full"))
	toStderr.close()
	line := decode(t, stderr.String())[0]
	assert.Equal(t, EventLogOutputFailed, line["event"])
	assert.Equal(t, "linegate.log", line["file"])
	assert.Equal(t, "disk full", line["error"])
}

func TestLoggingFromManyGoroutinesKeepsLinesWhole(t *testing.T) {
	var stderr bytes.Buffer
	logger, err := NewLogger(LogOptions{Stderr: &stderr})
	require.NoError(t, err)
	var workers sync.WaitGroup
	for range 8 {
		workers.Go(func() {
			for n := range 250 {
				logger.Info("counted", "n", n)
			}
		})
	}
	workers.Wait()
	require.NoError(t, logger.Close())
	assert.Len(t, decode(t, stderr.String()), 2000)
}

// gate is an output that hangs until it is opened.
type gate struct {
	reached, open chan struct{}
	once          sync.Once
	buffer        bytes.Buffer
}

func newGate() *gate { return &gate{reached: make(chan struct{}), open: make(chan struct{})} }

func (g *gate) Write(text []byte) (int, error) {
	g.once.Do(func() { close(g.reached) })
	<-g.open
	return g.buffer.Write(text)
}

// flaky is an output that fails while fail is set.
type flaky struct {
	mu     sync.Mutex
	fail   error
	was    error
	tried  chan struct{}
	buffer bytes.Buffer
}

func (f *flaky) attempts() chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.tried == nil {
		f.tried = make(chan struct{}, 100)
	}
	return f.tried
}

// await returns after the next attempt to write.
func (f *flaky) await() { <-f.attempts() }

func (f *flaky) set(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.was, f.fail = f.fail, err
}

func (f *flaky) Write(text []byte) (int, error) {
	defer func() { f.attempts() <- struct{}{} }()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fail != nil {
		return 0, f.fail
	}
	return f.buffer.Write(text)
}

// decode reads JSON lines, each of which must be an object.
func decode(t *testing.T, text string) []map[string]any {
	t.Helper()
	var lines []map[string]any
	for line := range strings.Lines(text) {
		var object map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &object), line)
		lines = append(lines, object)
	}
	return lines
}
