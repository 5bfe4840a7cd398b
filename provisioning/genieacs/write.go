package genieacs

import (
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"linegate"
)

// perMessage is how many values the server puts into one message to a CPE.
const perMessage = 32

// write is one value for one parameter of a device.
type write struct {
	setting string
	path    string
	typ     string // as in a rule
	value   string
	ensure  string
	verify  bool
}

func (w *write) shown() linegate.CPEWrite {
	value := w.value
	if w.setting == "ppp.password" {
		value = "*****"
	}
	return linegate.CPEWrite{Path: w.path, Value: value, Type: "xsd:" + w.typ}
}

// typed is the value as JSON has it. The server takes its type from what the CPE
// reported and coerces; the value must be a string, a number or a boolean.
func (w *write) typed() any {
	switch w.typ {
	case "boolean":
		return isTrue(w.value)
	case "int", "unsignedInt":
		if number, err := strconv.ParseInt(w.value, 10, 64); err == nil {
			return number
		}
	}
	return w.value
}

func isTrue(text string) bool { return text == "true" || text == "1" }

// parts splits the writes in their order.
func parts(writes []write) [][]write { return slices.Collect(slices.Chunk(writes, perMessage)) }

// readable are the parameters that say what was written to them.
func readable(writes []write) []string {
	var names []string
	for _, w := range writes {
		if w.verify {
			names = append(names, w.path)
		}
	}
	return names
}

// need is something that must be covered by at least one of some settings.
type need struct {
	words string
	anyOf []string
}

// wantedOf turns settings into logical ones, and says which of them a device must
// have.
func wantedOf(s *linegate.CPESettings) (values map[string]string, needs []need) {
	values = map[string]string{}
	wantVLAN(s, values, &needs)
	wantIPv4(s, values, &needs)
	wantIPv6(s.IPv6Mode, values, &needs)
	if s.PPPUsername != "" {
		values["ppp.enable"], values["ppp.username"], values["ppp.password"] = "true", s.PPPUsername, s.PPPPassword
		needs = append(needs, need{"a PPP name", []string{"ppp.username"}}, need{"a PPP password", []string{"ppp.password"}})
	}
	return values, needs
}

const stacking = "two tags (802.1ad)"

func wantVLAN(s *linegate.CPESettings, values map[string]string, needs *[]need) {
	switch {
	case s.QinQ:
		values["vlan.enable"], values["vlan.outer"], values["vlan.inner"] = "true", number(s.ServiceVLAN), number(s.InnerVLAN)
		*needs = append(*needs, need{stacking, []string{"vlan.outer"}}, need{stacking, []string{"vlan.inner"}})
	case s.ServiceVLAN != 0:
		values["vlan.enable"], values["vlan.id"] = "true", number(s.ServiceVLAN)
		*needs = append(*needs, need{"a WAN VLAN", []string{"vlan.id"}})
	}
}

func wantIPv4(s *linegate.CPESettings, values map[string]string, needs *[]need) {
	switch {
	case s.IPv4.IsValid():
		values["ipv4.mode"] = "static"
		values["ipv4.address"] = s.IPv4.Addr().String()
		values["ipv4.mask"] = net.IP(net.CIDRMask(s.IPv4.Bits(), 32)).String()
		*needs = append(*needs, need{"a fixed IPv4 address", []string{"ipv4.address"}}, need{"a fixed IPv4 address", []string{"ipv4.mask"}})
	case s.PPPUsername == "":
		values["ipv4.mode"] = "dhcp"
	}
	if s.IPv4Gateway.IsValid() {
		values["ipv4.gateway"] = s.IPv4Gateway.String()
		*needs = append(*needs, need{"an IPv4 gateway", []string{"ipv4.gateway"}})
	}
	if len(s.DNS) > 0 {
		values["ipv4.dns"] = joined(s.DNS)
	}
}

func wantIPv6(mode linegate.IPv6AssignmentMode, values map[string]string, needs *[]need) {
	if mode == "" {
		return
	}
	on := mode != linegate.IPv6None
	values["ipv6.enable"], values["ipv6.mode"] = strconv.FormatBool(on), string(mode)
	for name, granted := range map[string]bool{
		"ipv6.slaac": mode.GrantsSLAAC(), "ipv6.stateful": mode.GrantsStateful(), "ipv6.pd": mode.GrantsPD(),
	} {
		values[name] = strconv.FormatBool(granted)
		if granted {
			*needs = append(*needs, need{"IPv6 by " + strings.TrimPrefix(name, "ipv6."), []string{name, "ipv6.mode"}})
		}
	}
	if on {
		*needs = append(*needs, need{"IPv6", []string{"ipv6.enable", "ipv6.mode"}})
	}
}

func number(v linegate.VLAN) string { return strconv.Itoa(int(v)) }

func joined(addresses []netip.Addr) string {
	words := make([]string, len(addresses))
	for i, address := range addresses {
		words[i] = address.String()
	}
	return strings.Join(words, ",")
}

// writes makes the writes of a device of this model. What it can't do is
// linegate.ErrUnsupported, or a warning where the settings allow it.
func (r *Rule) writes(s *linegate.CPESettings) (list []write, warnings []string, err error) {
	values, needs := wantedOf(s)
	list = r.compile(values)
	lacking := lacks(list, needs)
	if s.WithoutQinQ && slices.Contains(lacking, stacking) {
		warnings = append(warnings, fmt.Sprintf("model %s can't send %s: it gets the inner one, the line must add the outer one", r.Name, stacking))
		single := *s
		single.QinQ, single.ServiceVLAN = false, s.InnerVLAN
		values, needs = wantedOf(&single)
		list = r.compile(values)
		lacking = lacks(list, needs)
	}
	if len(lacking) > 0 {
		return nil, nil, fmt.Errorf("%w: model %s can't do %s by TR-069", linegate.ErrUnsupported, r.Name, strings.Join(lacking, ", "))
	}
	if values["ipv4.dns"] != "" && !slices.ContainsFunc(list, func(w write) bool { return w.setting == "ipv4.dns" }) {
		warnings = append(warnings, fmt.Sprintf("model %s has no setting for name servers", r.Name))
	}
	return list, warnings, nil
}

// compile applies the rule to logical settings.
func (r *Rule) compile(values map[string]string) []write {
	var list []write
	for _, s := range r.Settings {
		value, wanted := values[s.Set]
		if !wanted {
			continue
		}
		if s.Values != nil {
			if value, wanted = s.Values[value]; !wanted {
				continue // not to be had
			}
		}
		if s.Value != "" {
			value = expand(s.Value, values)
		}
		list = append(list, write{
			setting: s.Set, path: expand(s.Path, values), typ: s.Type, value: value,
			ensure: expand(s.Ensure, values), verify: s.Verify != "none",
		})
	}
	return list
}

func lacks(list []write, needs []need) []string {
	var words []string
	for _, n := range needs {
		covered := slices.ContainsFunc(list, func(w write) bool { return slices.Contains(n.anyOf, w.setting) })
		if !covered && !slices.Contains(words, n.words) {
			words = append(words, n.words)
		}
	}
	return words
}

// reset makes the writes that put the unprovisioned state for what the service had.
func (r *Rule) reset(s *linegate.CPESettings) []write {
	list, _, err := r.writes(s)
	if err != nil {
		return nil // it was never written
	}
	return r.resetOf(list)
}

func (r *Rule) resetOf(list []write) []write {
	had := map[string]bool{}
	for _, w := range list {
		had[w.setting] = true
	}
	values := maps.Clone(r.Reset)
	maps.DeleteFunc(values, func(name, _ string) bool { return !had[name] })
	return r.compile(values)
}

// guard refuses to write to the connection that the device is managed through: a
// wrong tag there loses it.
func (r *Rule) guard(d *device, list []write) error {
	if r.Management == "" || len(list) == 0 {
		return nil
	}
	wan, known := d.tree.value(r.Management)
	if known && wan != "" && wan == d.managedAt() {
		return fmt.Errorf("%w: %s is the address that the device is managed at; model %s would lose it", linegate.ErrRefused, wan, r.Name)
	}
	return nil
}
