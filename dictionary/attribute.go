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
	return b.dictionary.add(attribute)
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
		if i < len(steps)-1 && attribute.Parent == nil {
			attribute.Parent, _ = b.dictionary.Find(attribute.Vendor, uint32(n))
		}
	}
	if len(steps) > 1 && attribute.Parent == nil {
		return fmt.Errorf("attribute %q: number %q lies inside an attribute that is not defined", attribute.Name, path)
	}
	return nil
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
// name; one name can't stand for two numbers.
func (d *Dictionary) add(attribute *Attribute) error {
	name := strings.ToLower(attribute.Name)
	at := number{attribute.Vendor, attribute.Number}
	if old, ok := d.byName[name]; ok {
		if at != (number{old.Vendor, old.Number}) {
			return fmt.Errorf("attribute %q stands for number %d of vendor %d already", attribute.Name, old.Number, old.Vendor)
		}
		attribute.names, attribute.numbers = old.names, old.numbers
	}
	d.byName[name] = attribute
	if attribute.Parent == nil {
		d.byNumber[at] = attribute
	}
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
	if a.Type == TypeOctets || a.Type == TypeRaw {
		return nil
	}
	if !a.Type.numeric() {
		return fmt.Errorf("attribute %q is of type %s: only numbers have names", a.Name, a.Type)
	}
	n, err := parseUint(text)
	if err != nil || n > a.largest() {
		return fmt.Errorf("attribute %q: value %q: number %q is not allowed: 0 to %d", a.Name, name, text, a.largest())
	}
	if a.names == nil {
		a.names, a.numbers = make(map[uint64]string), make(map[string]uint64)
	}
	a.names[n], a.numbers[strings.ToLower(name)] = name, n
	return nil
}
