package dialect

import (
	"cmp"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"linegate"
	"linegate/dictionary"
)

//go:embed data/*.yaml
var shipped embed.FS

// shippedSource is the Source of a dialect that comes with Linegate.
const shippedSource = "shipped"

// maxFile is the longest dialect file, in octets.
const maxFile = 1 << 20

// Load returns all dialects by name: the shipped ones, and those of the files
// NAME.yaml in a folder, which take the place of a shipped one with their name. An
// empty folder means the shipped ones alone. The folder may also hold a file named
// dictionary with more attributes, see dictionary.Load. pen is as for Builtin. The
// error names everything that is wrong, with file, line and key.
func Load(pen uint32, folder string) (map[string]*Dialect, error) {
	names, err := dictionary.Load(cmp.Or(pen, dictionary.DocumentationPEN), folder)
	if err != nil {
		return nil, err
	}
	own, err := readFolder(shipped, "data", func(name string) string { return shippedSource + " " + name })
	if err != nil {
		return nil, err
	}
	given := map[string]*definition{}
	if folder != "" {
		given, err = readFolder(os.DirFS(folder), ".", func(name string) string { return filepath.Join(folder, name) })
		if err != nil {
			return nil, fmt.Errorf("dialects %s: %w", folder, err)
		}
	}
	return compileAll(names, own, given)
}

// readFolder reads the definitions of all YAML files in a folder, by name.
func readFolder(files fs.FS, folder string, shown func(string) string) (map[string]*definition, error) {
	entries, err := fs.ReadDir(files, folder)
	if err != nil {
		return nil, err
	}
	found := map[string]*definition{}
	for _, e := range entries {
		name, isDialect := strings.CutSuffix(e.Name(), ".yaml")
		if !isDialect || e.IsDir() {
			continue
		}
		if info, err := e.Info(); err != nil || info.Size() > maxFile {
			return nil, fmt.Errorf("%s: longer than %d octets, or gone", shown(e.Name()), maxFile)
		}
		text, err := fs.ReadFile(files, path.Join(folder, e.Name()))
		if err != nil {
			return nil, err
		}
		found[name] = readDefinition(name, shown(e.Name()), text)
	}
	return found, nil
}

// compileAll settles what each definition inherits and compiles it. The given ones
// are preferred to our own of the same name.
func compileAll(names *dictionary.Dictionary, own, given map[string]*definition) (map[string]*Dialect, error) {
	all := maps.Clone(own)
	maps.Copy(all, given)
	settler := settler{own: own, all: all, settled: map[*definition]bool{}}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		settler.settle(all[name])
	}
	dialects := map[string]*Dialect{}
	var problems []error
	for _, name := range slices.Sorted(maps.Keys(all)) {
		d := all[name]
		if len(d.problems) == 0 {
			dialects[name] = d.compile(names)
		}
		problems = append(problems, d.problems...)
	}
	if dialects[linegate.DefaultDialect] == nil && len(problems) == 0 {
		problems = append(problems, fmt.Errorf("dialect %s: it is missing", linegate.DefaultDialect))
	}
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	return dialects, nil
}

// settler lets definitions inherit, each base before those that have it.
type settler struct {
	own, all map[string]*definition
	settled  map[*definition]bool
	open     []*definition // each the base of the one before
}

// settle lets d inherit from its base: the standard dialect unless it names
// another. A given dialect may have the shipped one of its own name as its base.
func (s *settler) settle(d *definition) {
	if s.settled[d] || len(d.problems) > 0 {
		return
	}
	base := s.all[cmp.Or(d.base, linegate.DefaultDialect)]
	if base == d || d.base == d.name {
		base = s.own[d.name]
	}
	if base == d && d.base == "" {
		s.settled[d] = true // the standard dialect itself
		return
	}
	switch {
	case base == nil:
		d.problems = append(d.problems, fmt.Errorf("%s: base: there is no dialect %q", d.file, d.base))
		return
	case base == d || slices.Contains(s.open, base):
		d.problems = append(d.problems, fmt.Errorf("%s: base: %q leads back to this dialect", d.file, d.base))
		return
	}
	s.open = append(s.open, d)
	s.settle(base)
	s.open = s.open[:len(s.open)-1]
	d.inherit(base)
	s.settled[d] = true
}

// Shipped returns the names of the dialects that come with Linegate, sorted, without
// loading them.
func Shipped() []string {
	entries, _ := fs.ReadDir(shipped, "data") // the folder is part of the program
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = strings.TrimSuffix(e.Name(), ".yaml")
	}
	return names
}
