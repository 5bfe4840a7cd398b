package dictionary

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// Bounds on what is read, so that no dictionary can exhaust memory. FreeRADIUS
// ships some 250 files, the longest of 90,000 octets.
const (
	maxFileSize = 1 << 20 // octets
	maxFiles    = 1000
	maxDepth    = 16
)

// Parse reads a dictionary file and all that it includes, by paths relative to
// the including file. Errors name file, line and statement.
func Parse(fsys fs.FS, name string) (*Dictionary, error) {
	p := newParser(fsys, nil)
	if err := p.start(name); err != nil {
		return nil, err
	}
	return p.finish()
}

// parser reads files into a dictionary.
type parser struct {
	fsys       fs.FS
	folder     string            // of fsys, as errors name it
	pens       map[string]uint32 // vendors, by name, that have another number than the one in the file
	dictionary *Dictionary
	shipped    map[string]bool // names that a definition of an operator may take over
	open       []string        // the files being read, each included by the one before
	files      int
	early      []earlyValue
}

func newParser(fsys fs.FS, pens map[string]uint32) *parser {
	return &parser{fsys: fsys, pens: pens, dictionary: &Dictionary{
		byName:   make(map[string]*Attribute),
		byNumber: make(map[number]*Attribute),
		vendors:  make(map[uint32]*vendor),
		penOf:    make(map[string]uint32),
	}}
}

// start reads a file and all that it includes.
func (p *parser) start(name string) error {
	text, err := p.read(name)
	if err != nil {
		return err
	}
	return p.file(name, text)
}

// overlay goes on in another folder, whose definitions take the place of those read
// so far.
func (p *parser) overlay(fsys fs.FS, folder string) {
	p.fsys, p.folder, p.shipped = fsys, folder, make(map[string]bool)
	for name := range p.dictionary.byName {
		p.shipped[name] = true
	}
}

func (p *parser) finish() (*Dictionary, error) {
	if err := p.resolveValues(); err != nil {
		return nil, err
	}
	return p.dictionary, nil
}

// earlyValue is a VALUE that came before its ATTRIBUTE.
type earlyValue struct {
	at     string // file:line
	fields []string
}

// file reads the statements of one file.
func (p *parser) file(name, text string) error {
	p.open = append(p.open, name)
	defer func() { p.open = p.open[:len(p.open)-1] }()
	block := block{parser: p}
	for i, line := range strings.Split(text, "\n") {
		line, _, _ = strings.Cut(line, "#")
		fields := strings.Fields(line)
		if len(fields) == 0 {
			continue
		}
		at := fmt.Sprintf("%s:%d: %s", path.Join(p.folder, name), i+1, fields[0])
		var err error
		switch fields[0] {
		case "$INCLUDE", "$INCLUDE-":
			err = p.include(at, path.Dir(name), fields)
		case "VALUE":
			err = p.value(at, fields)
		default:
			err = locate(at, block.statement(fields))
		}
		if err != nil {
			return err
		}
	}
	return locate(path.Join(p.folder, name), block.end())
}

// locate says where an error is.
func locate(at string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", at, err)
}

// include reads the file that a statement names. With a dash after $INCLUDE the
// file may be missing.
func (p *parser) include(at, folder string, fields []string) error {
	if len(fields) != 2 {
		return locate(at, errors.New("one file name must follow"))
	}
	name := path.Join(folder, fields[1])
	text, err := p.read(name)
	if fields[0] == "$INCLUDE-" && errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return locate(at, err)
	}
	return p.file(name, text)
}

// read returns a file's text, within all bounds.
func (p *parser) read(name string) (string, error) {
	if slices.Contains(p.open, name) {
		return "", fmt.Errorf("%s includes itself", strings.Join(append(p.open, name), " -> "))
	}
	if p.files++; p.files > maxFiles || len(p.open) == maxDepth {
		return "", fmt.Errorf("%s: more than %d files, or nested more than %d deep", name, maxFiles, maxDepth)
	}
	file, err := p.fsys.Open(name)
	if err != nil {
		return "", err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxFileSize+1))
	if err != nil {
		return "", err
	}
	if len(text) > maxFileSize {
		return "", fmt.Errorf("%s: longer than %d octets", name, maxFileSize)
	}
	return string(text), nil
}
