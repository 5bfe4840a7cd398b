package main

import (
	"bytes"
	"context"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write what the commands of testdata/*.cli print into the scripts")

// result is what became of one command line.
type result struct {
	stdout string
	stderr string // with the error as main would print it
	err    error
}

// run executes a command line in this process, with an input of its own.
func run(t *testing.T, stdin string, args ...string) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	root := newRootCommand()
	root.SetArgs(args)
	root.SetIn(strings.NewReader(stdin))
	root.SetOut(&stdout)
	root.SetErr(&stderr)
	err := root.ExecuteContext(context.Background())
	if err != nil {
		stderr.WriteString("linegate: " + err.Error() + "\n")
	}
	return result{stdout.String(), stderr.String(), err}
}

// freshStore makes an empty folder the working directory, with a store in it and
// nothing of the environment's configuration.
func freshStore(t *testing.T) {
	t.Helper()
	t.Chdir(t.TempDir())
	t.Setenv("LINEGATE_CONFIG", "")
	t.Setenv("LINEGATE_STORE", "sqlite:test.db")
}

// TestScripts runs the command lines of each script against a fresh store and
// compares what they print. In a script,
//
//	$ COMMAND        runs it; what follows is its standard output,
//	! text           a line of its standard error, after all of the output,
//	< FILE           begins a file in the working directory, ended by a line of "."
//	# text           a comment; like an empty line, it ends a command's output.
func TestScripts(t *testing.T) {
	scripts, err := filepath.Glob("testdata/*.cli")
	require.NoError(t, err)
	require.NotEmpty(t, scripts)
	for _, name := range scripts {
		path, err := filepath.Abs(name)
		require.NoError(t, err)
		t.Run(strings.TrimSuffix(filepath.Base(name), ".cli"), func(t *testing.T) {
			script, err := os.ReadFile(path)
			require.NoError(t, err)
			freshStore(t)
			played := play(t, string(script))
			if *update {
				require.NoError(t, os.WriteFile(path, []byte(played), 0o644))
				return
			}
			assert.Equal(t, string(script), played)
		})
	}
}

// play runs a script and returns it with what was really printed.
func play(t *testing.T, script string) string {
	t.Helper()
	var played strings.Builder
	lines := strings.SplitAfter(script, "\n")
	for i := 0; i < len(lines); i++ {
		played.WriteString(lines[i])
		switch start, rest, _ := strings.Cut(strings.TrimSpace(lines[i]), " "); start {
		case "<":
			var content strings.Builder
			for i++; lines[i] != ".\n"; i++ {
				played.WriteString(lines[i])
				content.WriteString(lines[i])
			}
			played.WriteString(lines[i])
			require.NoError(t, os.WriteFile(rest, []byte(content.String()), 0o600))
		case "$":
			played.WriteString(printed(t, words(rest)))
			for i+1 < len(lines) && lines[i+1] != "\n" && !strings.HasPrefix(lines[i+1], "#") && lines[i+1] != "" {
				i++ // what the script expected
			}
		}
	}
	return played.String()
}

// printed runs a command and returns its output as a script holds it.
func printed(t *testing.T, args []string) string {
	t.Helper()
	got := run(t, "", args...)
	text := got.stdout
	for line := range strings.Lines(got.stderr) {
		text += "! " + line
	}
	for pattern, name := range map[string]string{
		`\d{4}-\d\d-\d\dT[0-9:.]+Z`:             "TIME",
		`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}`: "UUID",
		`0x(4c4731)?[0-9a-f]{32,}`:              "0xDIGITS", // Message-Authenticator and Class
		regexp.QuoteMeta(actor()):               "ACTOR",
		`(?m) +$`:                               "",
	} {
		text = regexp.MustCompile(pattern).ReplaceAllString(text, name)
	}
	// Columns of varying width are no wider than the placeholder's neighbours need.
	return regexp.MustCompile(`(TIME|ACTOR) +`).ReplaceAllString(text, "$1  ")
}

// words splits a command line as a shell does, with single quotes only, and
// leaves out the leading "linegate".
func words(line string) (args []string) {
	for _, match := range regexp.MustCompile(`(?:[^\s']|'[^']*')+`).FindAllString(line, -1) {
		args = append(args, strings.ReplaceAll(match, "'", ""))
	}
	return args[1:]
}
