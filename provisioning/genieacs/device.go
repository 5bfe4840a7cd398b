package genieacs

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"linegate"
)

// device is what the server knows of a CPE.
type device struct {
	ID           string
	OUI          string
	ProductClass string
	Serial       string
	tree         node
}

// node is an object or a parameter as the server stores it: children by name, and
// what begins with an underscore about itself.
type node map[string]any

// deviceInfo are the parameters that rules are matched with and guarded by. They
// come with every inform, so the server knows them without asking.
func deviceInfo(rules []Rule) []string {
	names := []string{"_id", "_deviceId"}
	for _, root := range []string{"InternetGatewayDevice", "Device"} {
		for _, name := range []string{"ModelName", "SoftwareVersion"} {
			names = append(names, root+".DeviceInfo."+name)
		}
		names = append(names, root+".ManagementServer.ConnectionRequestURL")
	}
	for _, rule := range rules {
		if rule.Management != "" {
			names = append(names, rule.Management)
		}
	}
	return names
}

func newDevice(document node) (device, error) {
	id, _ := document["_id"].(string)
	if id == "" {
		return device{}, fmt.Errorf("%w: a device without _id", linegate.ErrTryAgain)
	}
	about, _ := document["_deviceId"].(map[string]any)
	text := func(name string) string { s, _ := about[name].(string); return s }
	return device{
		ID: id, OUI: text("_OUI"), ProductClass: text("_ProductClass"), Serial: text("_SerialNumber"), tree: document,
	}, nil
}

// has reports whether the device's data model has this root.
func (d *device) has(root string) bool {
	_, there := d.tree.find(root)
	return there
}

func (d *device) info(name string) string {
	for _, root := range []string{"Device", "InternetGatewayDevice"} {
		if value, known := d.tree.value(root + "." + name); known && value != "" {
			return value
		}
	}
	return ""
}

// model is the model's name, or the product class where the server has not read it.
func (d *device) model() string {
	if name := d.info("DeviceInfo.ModelName"); name != "" {
		return name
	}
	return d.ProductClass
}

func (d *device) software() string { return d.info("DeviceInfo.SoftwareVersion") }

// managedAt is the address that the server calls the device at.
func (d *device) managedAt() string {
	at, err := url.Parse(d.info("ManagementServer.ConnectionRequestURL"))
	if err != nil {
		return ""
	}
	return at.Hostname()
}

// find goes down a path. A part like [Name:value] is the instance in which that
// parameter has that value.
func (n node) find(path string) (node, bool) {
	at := n
	for _, part := range splitPath(path) {
		next, there := at.child(part)
		if !there {
			return nil, false
		}
		at = next
	}
	return at, true
}

func (n node) child(part string) (node, bool) {
	key, keyed := strings.CutPrefix(part, "[")
	if !keyed {
		child, ok := n[part].(map[string]any)
		return child, ok
	}
	name, value, _ := strings.Cut(strings.TrimSuffix(key, "]"), ":")
	for _, entry := range n {
		instance, ok := entry.(map[string]any)
		if !ok {
			continue
		}
		if has, known := node(instance).value(name); known && has == value {
			return instance, true
		}
	}
	return nil, false
}

// splitPath cuts at dots that are not inside brackets.
func splitPath(path string) []string {
	var list []string
	depth, start := 0, 0
	for i, r := range path {
		switch {
		case r == '[':
			depth++
		case r == ']':
			depth--
		case r == '.' && depth == 0:
			list = append(list, path[start:i])
			start = i + 1
		}
	}
	return append(list, path[start:])
}

// value is a parameter as text; known is false when the server never read it.
func (n node) value(path string) (text string, known bool) {
	at, there := n.find(path)
	if !there {
		return "", false
	}
	switch value := at["_value"].(type) {
	case string:
		return value, true
	case bool:
		return strconv.FormatBool(value), true
	case float64:
		return strconv.FormatFloat(value, 'f', -1, 64), true
	}
	return "", false
}

func (n node) readOnly() bool {
	writable, said := n["_writable"].(bool)
	return said && !writable
}

// readAt is when the CPE last said the value.
func (n node) readAt() time.Time {
	text, _ := n["_timestamp"].(string)
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}
	}
	return at
}

// compare looks whether the device has what was written. Only what it said since a
// moment of the server's clock counts: before that the server stores what it sent.
func compare(tree node, writes []write, since time.Time) error {
	var missing, locked, stale, wrong []string
	for _, w := range writes {
		if !w.verify {
			continue
		}
		at, there := tree.find(w.path)
		value, known := tree.value(w.path)
		switch {
		case !there || !known && !at.readOnly():
			missing = append(missing, w.path)
		case at.readOnly() && !equal(value, &w):
			locked = append(locked, w.path)
		case at.readAt().Before(since):
			stale = append(stale, w.path)
		case !equal(value, &w):
			wrong = append(wrong, fmt.Sprintf("%s is %q instead of %q", w.path, value, w.value))
		}
	}
	switch {
	case len(missing) > 0:
		return fmt.Errorf("%w: the device has no %s", linegate.ErrUnsupported, strings.Join(missing, ", "))
	case len(locked) > 0:
		return fmt.Errorf("%w: read-only on the device: %s", linegate.ErrUnsupported, strings.Join(locked, ", "))
	case len(stale) > 0:
		return fmt.Errorf("%w: the device has not said %s", linegate.ErrTryAgain, strings.Join(stale, ", "))
	case len(wrong) > 0:
		return fmt.Errorf("%w: the device kept its own values: %s", linegate.ErrRefused, strings.Join(wrong, ", "))
	}
	return nil
}

// equal compares as the CPE's own type does: firmware of one model differ in
// whether a flag is a boolean, a number or a word.
func equal(value string, w *write) bool {
	if w.typ == "boolean" || value == "true" || value == "false" {
		return isTrue(value) == isTrue(w.value)
	}
	return value == w.value
}
