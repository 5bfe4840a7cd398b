package dictionary

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

//go:embed data/*
var data embed.FS

// DocumentationPEN is the Private Enterprise Number that stands for ours until
// an operator configures another (RFC 5612).
const DocumentationPEN uint32 = 32473

// ownVendor is the vendor whose number is configurable.
const ownVendor = "Linegate"

// Standard returns the definitions that come with Linegate. pen, 1 to 16777215,
// is the number under which our own attributes stand.
func Standard(pen uint32) (*Dictionary, error) { return Load(pen, "") }

// Load returns the definitions that come with Linegate and those that an operator
// adds: the file named dictionary in the folder, with all that it includes, such as
// a whole folder of FreeRADIUS. Where both define a name the operator's counts. A
// folder that is empty or has no such file adds nothing.
func Load(pen uint32, folder string) (*Dictionary, error) {
	if pen == 0 || pen > maxPEN {
		return nil, fmt.Errorf("vendor number %d is not allowed: 1 to %d", pen, maxPEN)
	}
	p := newParser(data, map[string]uint32{ownVendor: pen})
	if err := p.start("data/dictionary"); err != nil {
		return nil, err
	}
	if folder == "" {
		return p.finish()
	}
	p.overlay(os.DirFS(folder), folder)
	if err := p.start(operatorFile); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	} else if err != nil && p.exists(operatorFile) {
		return nil, err // it is there, and includes one that isn't
	}
	return p.finish()
}

// operatorFile is the file that an operator's folder begins with, as in FreeRADIUS.
const operatorFile = "dictionary"

func (p *parser) exists(name string) bool {
	_, err := fs.Stat(p.fsys, name)
	return err == nil
}
