package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"linegate"
	"linegate/cmd/linegate/config"
	"linegate/telemetry"
)

const repository = "../.."

// pages returns the text of README.md, ARCHITECTURE.md and docs/*.md by path.
func pages(t *testing.T) map[string]string {
	t.Helper()
	paths, err := filepath.Glob(repository + "/docs/*.md")
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	texts := map[string]string{}
	for _, path := range append(paths, repository+"/README.md", repository+"/ARCHITECTURE.md") {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		texts[path] = string(text)
	}
	return texts
}

func TestEveryLinkOfTheDocumentationLeadsToAFile(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)\s#]+)[^)]*\)`)
	for path, text := range pages(t) {
		for _, found := range link.FindAllStringSubmatch(text, -1) {
			if strings.Contains(found[1], "://") {
				continue
			}
			assert.FileExists(t, filepath.Join(filepath.Dir(path), found[1]), "linked from %s", path)
		}
	}
}

func TestEveryCommandOfTheDocumentationExists(t *testing.T) {
	checked := 0
	for path, text := range pages(t) {
		for _, line := range commandLines(text) {
			for _, args := range linegateCalls(line) {
				checked++
				assert.NoError(t, checkCall(args), "%s: %s", path, line)
			}
		}
	}
	assert.Greater(t, checked, 50, "command lines are no longer found")
}

func TestWrongCommandsInTheDocumentationAreFound(t *testing.T) {
	for line, mistake := range map[string]string{
		"linegate nas show":                                     `unknown command "show"`,
		"linegate frobnicate":                                   `unknown command "frobnicate"`,
		"sudo -u linegate linegate nas list --all":              "unknown flag: --all",
		"LINEGATE_STORE=x bin/linegate profile get":             "accepts 1 arg(s), received 0",
		"(echo x; linegate nas list -o xml) | tee y":            "allowed: table, json, yaml",
		"linegate nas list extra > nas.txt":                     `unknown command "extra"`,
		"linegate explain --packet a.hex --user alice":          "none of the others can be",
		"linegate bench auth --pid $(pidof linegate) --forever": "unknown flag: --forever",
	} {
		calls := linegateCalls(line)
		if assert.Len(t, calls, 1, line) {
			assert.ErrorContains(t, checkCall(calls[0]), mistake, line)
		}
	}
	for _, line := range []string{"cat linegate.yaml", "echo 'linegate nas show'", "curl http://linegate/metrics"} {
		assert.Empty(t, linegateCalls(line), line)
	}
}

// commandLines returns what a reader would type: the lines that begin with "$ "
// in blocks of console, and all lines of blocks of sh.
func commandLines(page string) (lines []string) {
	block := regexp.MustCompile("(?ms)^```(console|sh)\n(.*?)^```$")
	for _, found := range block.FindAllStringSubmatch(page, -1) {
		text := strings.ReplaceAll(found[2], "\\\n", " ")
		for line := range strings.Lines(text) {
			typed, prompted := strings.CutPrefix(line, "$ ")
			if prompted || found[1] == "sh" {
				lines = append(lines, strings.TrimSpace(typed))
			}
		}
	}
	return lines
}

// linegateCalls returns the arguments of each call of linegate in a line of
// shell, whatever it is called from: sudo, a pipe, a list, with variables.
func linegateCalls(line string) (calls [][]string) {
	substituted := regexp.MustCompile(`\$\([^)]*\)`).ReplaceAllString(line, "1")
	part := regexp.MustCompile(`'[^']*'|"[^"]*"|[|;&()]|>\s*\S+|[^\s|;&()>'"]+`)
	var words []string
	end := 0 // of the word before, to glue what stands without a blank between
	for _, at := range part.FindAllStringIndex(substituted, -1) {
		text := substituted[at[0]:at[1]]
		switch glued := at[0] == end && len(words) > 0; {
		case strings.Contains("|;&()", text):
			calls, words = appendCall(calls, words), nil
		case strings.HasPrefix(text, ">"):
		case glued:
			words[len(words)-1] += strings.Trim(text, `'"`)
		default:
			words = append(words, strings.Trim(text, `'"`))
		}
		end = at[1]
	}
	return appendCall(calls, words)
}

// appendCall appends the arguments if the words call linegate.
func appendCall(calls [][]string, words []string) [][]string {
	for len(words) > 0 && strings.Contains(words[0], "=") {
		words = words[1:]
	}
	if len(words) > 2 && words[0] == "sudo" && words[1] == "-u" {
		words = words[3:]
	}
	if len(words) > 0 && (words[0] == "linegate" || words[0] == "bin/linegate") {
		calls = append(calls, words[1:])
	}
	return calls
}

// checkCall parses arguments as the program would, and runs nothing.
func checkCall(args []string) error {
	root := newRootCommand()
	root.InitDefaultCompletionCmd()
	command, rest, err := root.Find(args)
	if err != nil {
		return err
	}
	command.InitDefaultHelpFlag()
	if err := command.ParseFlags(rest); err != nil {
		return err
	}
	if help, _ := command.Flags().GetBool("help"); help {
		return nil
	}
	if err := command.ValidateFlagGroups(); err != nil {
		return err
	}
	return command.ValidateArgs(command.Flags().Args())
}

func TestOperatingExplainsEveryDropAndEveryDecision(t *testing.T) {
	operating := pages(t)[repository+"/docs/operating.md"]
	explained := func(name string) bool { return strings.Contains(operating, "\n| `"+name+"` |") }
	for _, drop := range telemetry.Drops() {
		assert.True(t, explained(string(drop)), "docs/operating.md has no row for the drop %s", drop)
	}
	for _, reason := range linegate.Reasons() {
		assert.True(t, explained(string(reason)), "docs/operating.md has no row for the decision %s", reason)
	}
}

func TestTheRFCMapNamesWhatExists(t *testing.T) {
	code := map[string]string{} // of each Go file, by path
	for _, pattern := range []string{"/*.go", "/*/*.go", "/*/*/*.go"} {
		files, err := filepath.Glob(repository + pattern)
		require.NoError(t, err)
		for _, file := range files {
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			code[strings.TrimPrefix(file, repository+"/")] = string(text)
		}
	}
	all := strings.Join(slices.Collect(maps.Values(code)), "\n")
	page := pages(t)[repository+"/docs/rfc.md"]

	// `file.go` name, name; and tests by their name alone.
	place := regexp.MustCompile("`([a-z0-9_/]+\\.go)` ((?:`[A-Za-z0-9]+`(?:, )?)+)")
	places := place.FindAllStringSubmatch(page, -1)
	assert.Greater(t, len(places), 30, "places are no longer found")
	for _, found := range places {
		text, exists := code[found[1]]
		assert.True(t, exists, "%s does not exist", found[1])
		for name := range strings.SplitSeq(strings.ReplaceAll(found[2], "`", ""), ", ") {
			if name != "" {
				function := regexp.MustCompile(`(?m)^func (\([^)]*\) )?` + name + `\b`)
				assert.True(t, function.MatchString(text), "%s has no function %s", found[1], name)
			}
		}
	}
	for _, name := range regexp.MustCompile("`((?:Test|Fuzz)[A-Za-z0-9]+)`").FindAllStringSubmatch(page, -1) {
		assert.True(t, strings.Contains(all, "\nfunc "+name[1]+"("), "there is no test %s", name[1])
	}
}

const configurationHead = `# Configuration

One YAML file. It is looked for in this order: ` + "`--config FILE`, `$LINEGATE_CONFIG`, `./linegate.yaml`,\n`/etc/linegate/linegate.yaml`" + `; without any, the defaults hold.
[configs/linegate.yaml](../configs/linegate.yaml) is an example with every key.

- Dots in a key stand for levels: ` + "`listen.auth`" + ` is ` + "`auth`" + ` under ` + "`listen`" + `.
- A variable of the environment overrides the file: LINEGATE_ and the key in capitals, with underscores. Several
  values are separated by commas.
- An unknown key, a bad value or a missing file is an error, named with file and line. Try a file with
  ` + "`linegate config check FILE`" + ` before you reload.
- SIGHUP takes over ` + "`log.level`, `log.option82_validation`" + ` and everything under ` + "`policy`" + `. The other keys need a restart.
- ` + "`listen.coa` and a `store` in PostgreSQL" + ` are read, but this version does not serve them yet.
- Durations are written as ` + "`90s`, `10m`, `24h`" + `, retention also as ` + "`90d`" + `, sizes as octets or with ` + "`KiB`, `MiB`, `GiB`, `TiB`" + `.

This page is generated from the table that the program reads its configuration by:
` + "`go test ./cmd/linegate -run ConfigurationReference -update`" + `.

| key | default | allowed | meaning |
|---|---|---|---|
`

func TestConfigurationReferenceListsEveryKey(t *testing.T) {
	const path = repository + "/docs/configuration.md"
	page := &strings.Builder{}
	page.WriteString(configurationHead)
	for _, key := range config.Keys() {
		fallback := ""
		if key.Default != "" {
			fallback = "`" + key.Default + "`"
		}
		fmt.Fprintf(page, "| `%s`<br>`%s` | %s | %s | %s |\n", key.Name, key.Env(), fallback, key.Allowed, key.About)
	}
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(page.String()), 0o644))
	}
	written, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, page.String(), string(written), "run: go test ./cmd/linegate -run ConfigurationReference -update")
}
