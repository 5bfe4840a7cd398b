package genieacstest

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Parameter is what a CPE really has.
type Parameter struct {
	Value    any // string, bool or float64
	Type     string
	Writable bool
	Hidden   bool // reads back empty
	// Ignores says yes to a new value and keeps the old one.
	Ignores bool
	// Refuses answers a new value with fault 9007.
	Refuses bool
}

// CPE is a device, and what the server believes of it.
type CPE struct {
	id         string
	about      map[string]string
	parameters map[string]*Parameter
	cache      map[string]any // paths to what the server stores
	offline    string         // why no session comes about; empty: online
	back       int            // after so many calls it is online; 0: it stays as it is
	internal   int            // so many sets end with 9002
	drops      int            // so many sessions end before a set is answered
	lastInform time.Time
}

// called is why a call brings no session about, empty when it does.
func (c *CPE) called() string {
	why := c.offline
	if c.back > 0 {
		if c.back--; c.back == 0 {
			c.offline = Online
		}
	}
	return why
}

func (c *CPE) document() map[string]any {
	about := map[string]any{}
	for name, value := range c.about {
		about[name] = value
	}
	document := map[string]any{"_id": c.id, "_deviceId": about, "_lastInform": stamp(c.lastInform)}
	for path, entry := range c.cache {
		put(document, path, entry)
	}
	return document
}

// inform is what every session begins with: the CPE tells a few parameters.
func (s *Server) inform(c *CPE) {
	c.lastInform = s.tick()
	for path := range c.parameters {
		if strings.Contains(path, ".DeviceInfo.") || strings.Contains(path, ".ManagementServer.") || strings.HasSuffix(path, ".ExternalIPAddress") {
			s.read(c, path, map[string]bool{})
		}
	}
}

// read asks the CPE for a parameter, once in a session, and stores the answer.
func (s *Server) read(c *CPE, path string, fresh map[string]bool) {
	p := c.parameters[path]
	if p == nil {
		delete(c.cache, path)
		return
	}
	if fresh[path] {
		return
	}
	fresh[path] = true
	value := p.Value
	if p.Hidden {
		value = ""
	}
	s.store(c, path, value)
}

func (s *Server) store(c *CPE, path string, value any) {
	p := c.parameters[path]
	c.cache[path] = map[string]any{
		"_object": false, "_value": value, "_type": p.Type, "_writable": p.Writable, "_timestamp": stamp(s.tick()),
	}
}

// believed is the value that the server has stored.
func (c *CPE) believed(path string) (any, bool) {
	entry, ok := c.cache[path].(map[string]any)
	if !ok {
		return nil, false
	}
	value, ok := entry["_value"]
	return value, ok
}

// assignment is one value on its way to a CPE.
type assignment struct {
	path  string
	value any
}

// refusal is what a CPE says no with: all values of a message are refused then.
type refusal struct {
	code, message string
	parameters    []map[string]any
}

// assign sets what differs from what the server believes. Parameters that the CPE
// lacks or that are read-only are left out without a word.
func (s *Server) assign(c *CPE, list []assignment, fresh map[string]bool) *refusal {
	var send []assignment
	for _, a := range list {
		p := c.parameters[a.path]
		if p == nil || !p.Writable {
			continue
		}
		value, known := c.believed(a.path)
		if !known {
			s.read(c, a.path, fresh)
			value, _ = c.believed(a.path)
		}
		a.value = coerce(a.value, p.Type)
		if value != a.value || p.Hidden {
			send = append(send, a)
		}
	}
	if len(send) == 0 {
		return nil
	}
	if no := c.refuses(send); no != nil {
		return no
	}
	for _, a := range send {
		if p := c.parameters[a.path]; !p.Ignores {
			p.Value = a.value
		}
		s.store(c, a.path, a.value)
	}
	return nil
}

func (c *CPE) refuses(list []assignment) *refusal {
	switch {
	case c.drops > 0:
		c.drops--
		return &refusal{code: "session_terminated", message: "The TR-069 session was unsuccessfully terminated"}
	case c.internal > 0:
		c.internal--
		return &refusal{code: "cwmp.9002", message: "Internal error"}
	}
	no := &refusal{code: "cwmp.9003", message: "Invalid arguments"}
	for _, a := range list {
		tag, ok := a.value.(float64)
		badTag := ok && tag > 4094 && (strings.HasSuffix(a.path, "VLAN") || strings.HasSuffix(a.path, "VLANID"))
		if badTag || c.parameters[a.path].Refuses {
			no.parameters = append(no.parameters, map[string]any{
				"parameterName": a.path, "faultCode": "9007", "faultString": "Invalid parameter value",
			})
		}
	}
	if no.parameters == nil {
		return nil
	}
	return no
}

// coerce makes the value one of the type that the CPE reported.
func coerce(value any, typ string) any {
	words := fmt.Sprint(value)
	switch typ {
	case "xsd:boolean":
		return words == "true" || words == "1"
	case "xsd:unsignedInt", "xsd:int":
		number, err := strconv.ParseFloat(words, 64)
		if err != nil {
			return value
		}
		return number
	}
	return words
}

// instance makes the instance of a keyed path, unless there is one.
func (s *Server) instance(c *CPE, path string) {
	if resolve(c, path) != "" {
		return
	}
	parent, name, value := keyed(path)
	number := 1
	for taken := true; taken; number++ {
		taken = false
		for known := range c.parameters {
			taken = taken || strings.HasPrefix(known, fmt.Sprintf("%s.%d.", parent, number))
		}
		if !taken {
			break
		}
	}
	base := fmt.Sprintf("%s.%d.", parent, number)
	typ := "xsd:string"
	if name == "VLANID" {
		typ = "xsd:unsignedInt"
	}
	c.parameters[base+name] = &Parameter{Value: coerce(value, typ), Type: typ, Writable: true}
	c.parameters[base+"Enable"] = &Parameter{Value: false, Type: "xsd:boolean", Writable: true}
	for _, more := range []string{"SubnetMask", "Interface", "LowerLayers"} {
		c.parameters[base+more] = &Parameter{Value: "", Type: "xsd:string", Writable: true}
	}
	c.parameters[base+"TPID"] = &Parameter{Value: float64(33024), Type: "xsd:unsignedInt", Writable: true}
	s.read(c, base+name, map[string]bool{})
}

// keyed cuts a path at its instance key.
func keyed(path string) (parent, name, value string) {
	parent, key, _ := strings.Cut(path, ".[")
	key, _, _ = strings.Cut(key, "]")
	name, value, _ = strings.Cut(key, ":")
	return parent, name, value
}

// resolve turns a path with a key into that of the instance; "" when there is none.
func resolve(c *CPE, path string) string {
	if !strings.Contains(path, ".[") {
		return path
	}
	parent, name, value := keyed(path)
	_, rest, _ := strings.Cut(path, "]")
	for known, p := range c.parameters {
		below, ok := strings.CutPrefix(known, parent+".")
		number, leaf, cut := strings.Cut(below, ".")
		if ok && cut && leaf == name && fmt.Sprint(p.Value) == value {
			return parent + "." + number + rest
		}
	}
	return ""
}
