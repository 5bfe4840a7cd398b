package dictionary

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// attribute reads NAME NUMBER TYPE [FLAGS] [VENDOR].
func (b *block) attribute(arguments []string) error {
	attribute := &Attribute{Name: arguments[0], Type: parseType(arguments[2]), layout: layout{typeSize: 1, lengthSize: 1}}
	if err := b.place(attribute, arguments[1]); err != nil {
		return err
	}
	for _, argument := range arguments[3:] {
		if vendor, err := b.findVendor(argument); err == nil && b.vendor == nil {
			attribute.Vendor, attribute.layout = vendor.pen, vendor.layout
			continue
		}
		for flag := range strings.SplitSeq(argument, ",") {
			if err := attribute.flag(flag); err != nil {
				return err
			}
		}
	}
	return b.add(attribute)
}

// place says where an attribute stands: its number, alone or as the last of
// several with dots between, and what it lies in.
func (b *block) place(attribute *Attribute, path string) error {
	if b.vendor != nil {
		attribute.Vendor, attribute.layout = b.vendor.pen, b.vendor.layout
	}
	attribute.Parent = b.holder
	if len(b.parents) > 0 {
		attribute.Parent = b.parents[len(b.parents)-1]
	}
	steps := strings.Split(path, ".")
	for i, step := range steps {
		n, err := parseUint(step)
		if err != nil || n > 1<<32-1 {
			return fmt.Errorf("attribute %q: number %q is not allowed", attribute.Name, path)
		}
		attribute.Number = uint32(n)
		if i == len(steps)-1 {
			break
		}
		if attribute.Parent = b.inside(attribute, uint32(n)); attribute.Parent == nil {
			return fmt.Errorf("attribute %q: number %q lies inside an attribute that is not defined", attribute.Name, path)
		}
	}
	return nil
}

// inside finds what a step of a path leads to: of the attribute's parent so far,
// else of its vendor.
func (b *block) inside(attribute *Attribute, number uint32) *Attribute {
	if attribute.Parent != nil && attribute.Parent != b.holder {
		return attribute.Parent.children[number]
	}
	found, _ := b.dictionary.Find(attribute.Vendor, number)
	return found
}

// flag reads one of an attribute's flags. Those about how FreeRADIUS keeps a
// value change nothing here.
func (a *Attribute) flag(flag string) error {
	switch flag {
	case "", "array", "concat", "virtual", "internal", "long", "secret", "extended":
		return nil
	case "has_tag":
		if a.Type != TypeInteger && a.Type != TypeString {
			return fmt.Errorf("attribute %q: flag has_tag is only allowed for string and integer", a.Name)
		}
		a.Tagged = true
		return nil
	}
	method, ok := strings.CutPrefix(flag, "encrypt=")
	n, err := strconv.ParseUint(method, 10, 8)
	if !ok || err != nil || n < 1 || n > 3 {
		return fmt.Errorf("attribute %q: flag %q is not allowed: has_tag, encrypt=1 to 3, array, concat, virtual", a.Name, flag)
	}
	a.Encrypt = uint8(n)
	return nil
}

// add takes a definition in. A later one for the same number gives it another
// name; one name can't stand for two numbers, unless an operator's file says so of
// a shipped one.
func (p *parser) add(attribute *Attribute) error {
	d := p.dictionary
	name := strings.ToLower(attribute.Name)
	at := number{attribute.Vendor, attribute.Number}
	old, known := d.byName[name]
	switch {
	case !known:
	case at == number{old.Vendor, old.Number}:
		attribute.names, attribute.numbers, attribute.children = old.names, old.numbers, old.children
	case !p.shipped[name]:
		return fmt.Errorf("attribute %q stands for number %d of vendor %d already", attribute.Name, old.Number, old.Vendor)
	}
	delete(p.shipped, name)
	d.byName[name] = attribute
	if attribute.Parent == nil {
		d.byNumber[at] = attribute
		return nil
	}
	if attribute.Parent.children == nil {
		attribute.Parent.children = make(map[uint32]*Attribute)
	}
	attribute.Parent.children[attribute.Number] = attribute
	return nil
}

// value reads VALUE ATTRIBUTE NAME NUMBER. One that comes before its attribute
// is kept until all files are read.
func (p *parser) value(at string, fields []string) error {
	if len(fields) != 4 {
		return locate(at, errors.New("3 words must follow: attribute, name, number"))
	}
	attribute, ok := p.dictionary.byName[strings.ToLower(fields[1])]
	if !ok {
		p.early = append(p.early, earlyValue{at, fields})
		return nil
	}
	return locate(at, attribute.addValue(fields[2], fields[3]))
}

// resolveValues reads the values that came before their attributes.
func (p *parser) resolveValues() error {
	for _, early := range p.early {
		attribute, ok := p.dictionary.byName[strings.ToLower(early.fields[1])]
		if !ok {
			return locate(early.at, fmt.Errorf("unknown attribute %q", early.fields[1]))
		}
		if err := locate(early.at, attribute.addValue(early.fields[2], early.fields[3])); err != nil {
			return err
		}
	}
	return nil
}

// addValue names a number. Where one number gets several names, all are
// understood and the last is shown. Names for octets, as some dictionaries give
// them, are left out: what number they would be isn't known.
func (a *Attribute) addValue(name, text string) error {
	if a.Type == TypeOctets || a.Type.holds() {
		return nil
	}
	if !a.Type.numeric() {
		return fmt.Errorf("attribute %q is of type %s: only numbers have names", a.Name, a.Type)
	}
	n, err := parseUint(text)
	if err != nil || n > a.Largest() {
		return fmt.Errorf("attribute %q: value %q: number %q is not allowed: 0 to %d", a.Name, name, text, a.Largest())
	}
	if a.names == nil {
		a.names, a.numbers = make(map[uint64]string), make(map[string]uint64)
	}
	a.names[n], a.numbers[strings.ToLower(name)] = name, n
	return nil
}
