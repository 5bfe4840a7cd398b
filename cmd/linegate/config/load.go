package config

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/viper"

	"linegate/cmd/linegate/problem"
)

// Places are where a configuration file is looked for when none is named, in order.
func Places() []string { return []string{"linegate.yaml", "/etc/linegate/linegate.yaml"} }

// Find returns the file to load: named, else what LINEGATE_CONFIG names, else the
// first of Places that exists, else none ("").
func Find(named string) string {
	if path := cmp.Or(named, os.Getenv("LINEGATE_CONFIG")); path != "" {
		return path
	}
	for _, path := range Places() {
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	return ""
}

// Load reads a file, lets the environment override it and fills in defaults. An
// empty path stands for an empty file. The error names everything that is wrong,
// a line each.
func Load(path string) (Config, error) {
	text, err := read(path)
	if err != nil {
		return Config{}, err
	}
	found := &problem.List{File: path}
	document, readable := problem.ParseYAML(text, found)
	if !readable {
		return Config{}, found.Err()
	}
	file := settings{texts: map[string][]string{}, lines: map[string]int{}}
	file.collect(document, "", found)
	c := Config{File: path}
	if err := file.fill(&c, found); err != nil {
		return Config{}, fmt.Errorf("configuration: %w", err)
	}
	c.settlePaths()
	if c.KeyFile == "" && found.Len() == 0 {
		found.Add(file.lines["store"], "key_file: must be given when the store is not SQLite")
	}
	if c.API.Address != "" && c.API.TokenFile == "" && found.Len() == 0 {
		found.Add(file.lines["api.address"], "api.token_file: must be given with api.address")
	}
	return c, found.Err()
}

// settlePaths fills in the paths whose default depends on the store.
func (c *Config) settlePaths() {
	sqlite, embedded := strings.CutPrefix(c.Store, "sqlite:")
	if c.KeyFile == "" && embedded {
		c.KeyFile = sqlite + ".key"
	}
	switch {
	case c.Snapshot == "off":
		c.Snapshot = ""
	case c.Snapshot == "" && !embedded:
		c.Snapshot = "/var/lib/linegate/linegate.snapshot"
	}
	switch {
	case c.Accounting.Spool == "off":
		c.Accounting.Spool = ""
	case c.Accounting.Spool == "" && embedded:
		c.Accounting.Spool = sqlite + ".spool"
	case c.Accounting.Spool == "":
		c.Accounting.Spool = "/var/lib/linegate/spool"
	}
}

func read(path string) ([]byte, error) {
	if path == "" {
		return nil, nil
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("configuration file %s does not exist: give one with --config FILE or LINEGATE_CONFIG", path)
	}
	if err != nil {
		return nil, fmt.Errorf("configuration file: %w", err)
	}
	return text, nil
}

// settings are the keys that a file holds, as texts, and where.
type settings struct {
	texts map[string][]string
	lines map[string]int
}

// collect takes the known keys under prefix out of a mapping.
func (s settings) collect(mapping problem.Value, prefix string, found *problem.List) {
	sections, keys := children(prefix)
	for _, entry := range mapping.Entries(found, prefix, append(sections, slices.Sorted(maps.Keys(keys))...)) {
		name := prefix + entry.Key
		key, isKey := keys[entry.Key]
		if !isKey {
			s.collect(entry.Value, name+".", found)
			continue
		}
		if texts, ok := key.texts(entry.Value, found); ok {
			s.texts[name], s.lines[name] = texts, entry.Line
		}
	}
}

// texts returns the items of a value in the file, a single one unless the key
// takes a list. It is not ok when the key is left to its default or the value has
// the wrong shape, which is noted.
func (k Key) texts(value problem.Value, found *problem.List) (texts []string, ok bool) {
	if value.Null() {
		return nil, false
	}
	items, expected := []problem.Value{value}, "a single value"
	if k.List {
		items, expected = value.List(), "a value or a list of values"
	}
	texts = []string{}
	for _, item := range items {
		text, single := item.Scalar()
		if !single && k.Parts != nil {
			text, single = k.joined(item, found)
		}
		if !single {
			found.Add(item.Line(), "%s: %s is expected", k.Name, expected)
			return nil, false
		}
		texts = append(texts, text)
	}
	return texts, true
}

// joined returns a value of several parts as one text.
func (k Key) joined(value problem.Value, found *problem.List) (text string, ok bool) {
	var parts []string
	for _, entry := range value.Entries(found, k.Name+".", k.Parts) {
		part, single := entry.Value.Scalar()
		if !single {
			return "", false
		}
		parts = append(parts, entry.Key+"="+part)
	}
	return strings.Join(parts, partBreak), len(parts) > 0
}

// children returns what may stand under a prefix, from the table: the names with
// more beneath them, and the keys by their last name.
func children(prefix string) (sections []string, keys map[string]Key) {
	keys = map[string]Key{}
	for _, key := range Keys() {
		rest, within := strings.CutPrefix(key.Name, prefix)
		if !within {
			continue
		}
		name, _, deeper := strings.Cut(rest, ".")
		if !deeper {
			keys[name] = key
		} else if !slices.Contains(sections, name) {
			sections = append(sections, name)
		}
	}
	return sections, keys
}

// fill lays environment over file over defaults and reads the texts into c.
// Variables that are no key's are passed over: orchestrators set LINEGATE_PORT
// and the like for a service of that name.
func (s settings) fill(c *Config, found *problem.List) error {
	layers := viper.New()
	if err := layers.MergeConfigMap(s.values()); err != nil {
		return err
	}
	for _, key := range Keys() {
		layers.SetDefault(key.Name, key.split(key.Default))
		if err := layers.BindEnv(key.Name, key.Env()); err != nil {
			return err
		}
	}
	for _, key := range Keys() {
		texts, fromFile := layers.Get(key.Name).([]string)
		if !fromFile {
			texts = key.split(layers.GetString(key.Name))
		}
		bad, ok := key.set(c, texts)
		switch {
		case ok:
		case fromFile:
			found.NotAllowed(s.lines[key.Name], key.Name, bad, key.Allowed)
		default:
			found.AddElsewhere(key.Env(), "%q is not allowed: %s", bad, key.Allowed)
		}
	}
	return nil
}

// values returns the file's texts as viper takes them.
func (s settings) values() map[string]any {
	values := make(map[string]any, len(s.texts))
	for name, texts := range s.texts {
		values[name] = texts
	}
	return values
}

// split returns the items of a text that is not from the file: a list has commas.
func (k Key) split(text string) []string {
	if !k.List {
		return []string{text}
	}
	items := []string{}
	for item := range strings.SplitSeq(text, ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}
