package genieacs

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

//go:embed models/*.yaml
var shipped embed.FS

// Rule says which parameters a model has. The first rule that matches is taken.
type Rule struct {
	Name  string            `yaml:"name"`
	Match Match             `yaml:"match"`
	Vars  map[string]string `yaml:"vars"` // for {name} in paths
	// Settings are written in their order: what another one depends on comes first.
	Settings []Setting `yaml:"settings"`
	// Reset is the unprovisioned state: values of settings, written by Remove where
	// the service had them.
	Reset map[string]string `yaml:"reset"`
	// Management is the address of the WAN connection that Settings change. Where it
	// is the address that the CPE is managed at, nothing is written. Empty: no check.
	Management string `yaml:"management"`
}

// Match is what a rule looks at; all that is set must agree. Expressions match the
// whole text.
type Match struct {
	Root         string     `yaml:"root"` // InternetGatewayDevice (TR-098) or Device (TR-181)
	OUI          []string   `yaml:"oui"`
	ProductClass expression `yaml:"product_class"`
	Model        expression `yaml:"model"` // ModelName
	Software     expression `yaml:"software"`
}

// Setting is one parameter that is written when a logical setting is wanted.
type Setting struct {
	Set  string `yaml:"set"` // logical name, see settingNames
	Path string `yaml:"path"`
	Type string `yaml:"type"` // boolean, int, unsignedInt, string; default string
	// Values translate what is wanted; a value that is not among them can't be had.
	Values map[string]string `yaml:"values"`
	Value  string            `yaml:"value"`  // written instead of what is wanted; may hold {name} of a setting
	Ensure string            `yaml:"ensure"` // an instance that is made if it isn't there, e.g. X.[VLANID:{vlan.id}]
	// Verify: value (default) compares, none does not, for what reads back empty.
	Verify string `yaml:"verify"`
}

// settingNames are the logical settings, with what they hold.
var settingNames = []string{
	"vlan.enable", // true
	"vlan.id",     // the one tag
	"vlan.outer", "vlan.inner",
	"ipv4.mode", // static, dhcp
	"ipv4.address", "ipv4.mask", "ipv4.gateway",
	"ipv4.dns",                               // addresses joined by commas
	"ipv6.enable",                            // true, false
	"ipv6.mode",                              // none, slaac, stateful, pd, dual_stack
	"ipv6.slaac", "ipv6.stateful", "ipv6.pd", // true, false
	"ppp.enable", // true
	"ppp.username", "ppp.password",
}

var (
	parameterPath = regexp.MustCompile(`^(InternetGatewayDevice|Device)(\.([A-Za-z][A-Za-z0-9_-]*|[0-9]+|\[[A-Za-z0-9_]+:[A-Za-z0-9_.{}-]+\]))+$`)
	placeholder   = regexp.MustCompile(`\{[a-z0-9_.]+\}`)
	types         = []string{"boolean", "int", "unsignedInt", "string"}
)

// expression is a regular expression that matches the whole text.
type expression struct{ *regexp.Regexp }

func (e *expression) UnmarshalYAML(node *yaml.Node) error {
	compiled, err := regexp.Compile("^(?:" + node.Value + ")$")
	if err != nil {
		return fmt.Errorf("line %d: %w", node.Line, err)
	}
	e.Regexp = compiled
	return nil
}

func (e expression) agrees(text string) bool { return e.Regexp == nil || e.MatchString(text) }

func (r *Rule) matches(d *device) bool {
	m := &r.Match
	return (m.Root == "" || d.has(m.Root)) &&
		(len(m.OUI) == 0 || slices.ContainsFunc(m.OUI, func(oui string) bool { return strings.EqualFold(oui, d.OUI) })) &&
		m.ProductClass.agrees(d.ProductClass) && m.Model.agrees(d.model()) && m.Software.agrees(d.software())
}

// LoadRules reads the rules of the operator, file by file in order of name, and
// then ours. An empty folder name means none of the operator's.
func LoadRules(folder string) ([]Rule, error) {
	var rules []Rule
	if folder != "" {
		own, err := loadFolder(os.DirFS(folder), ".")
		if err != nil {
			return nil, fmt.Errorf("genieacs models %s: %w", folder, err)
		}
		rules = own
	}
	ours, err := loadFolder(shipped, "models")
	if err != nil {
		return nil, fmt.Errorf("genieacs models: %w", err)
	}
	return append(rules, ours...), nil
}

func loadFolder(system fs.FS, folder string) ([]Rule, error) {
	entries, err := fs.ReadDir(system, folder)
	if err != nil {
		return nil, err
	}
	var rules []Rule
	for _, entry := range entries {
		if !strings.HasSuffix(entry.Name(), ".yaml") {
			continue
		}
		name := strings.TrimPrefix(folder+"/"+entry.Name(), "./")
		content, err := fs.ReadFile(system, name)
		if err != nil {
			return nil, err
		}
		parsed, err := ParseRules(content)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", entry.Name(), err)
		}
		rules = append(rules, parsed...)
	}
	return rules, nil
}

// ParseRules reads one file of rules. An error names the rule and what is wrong.
func ParseRules(content []byte) ([]Rule, error) {
	var file struct {
		Rules []Rule `yaml:"rules"`
	}
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	decoder.KnownFields(true)
	if err := decoder.Decode(&file); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	for i := range file.Rules {
		if err := file.Rules[i].complete(); err != nil {
			return nil, fmt.Errorf("rule %q: %w", file.Rules[i].Name, err)
		}
	}
	return file.Rules, nil
}

// complete fills in variables and checks the rule.
func (r *Rule) complete() error {
	if r.Name == "" {
		return errors.New("name is missing")
	}
	if r.Match.Root != "" && r.Match.Root != "Device" && r.Match.Root != "InternetGatewayDevice" {
		return fmt.Errorf("match.root: %q is not allowed: Device or InternetGatewayDevice", r.Match.Root)
	}
	for i := range r.Settings {
		if err := r.Settings[i].complete(r.Vars); err != nil {
			return fmt.Errorf("settings[%d]: %w", i, err)
		}
	}
	for name := range r.Reset {
		if !slices.Contains(settingNames, name) {
			return fmt.Errorf("reset: %q is no setting", name)
		}
	}
	r.Management = expand(r.Management, r.Vars)
	if r.Management != "" && !parameterPath.MatchString(r.Management) {
		return fmt.Errorf("management: %q is no parameter", r.Management)
	}
	return nil
}

func (s *Setting) complete(vars map[string]string) error {
	s.Path, s.Ensure = expand(s.Path, vars), expand(s.Ensure, vars)
	if s.Type == "" {
		s.Type = "string"
	}
	switch {
	case !slices.Contains(settingNames, s.Set):
		return fmt.Errorf("set: %q is no setting", s.Set)
	case !parameterPath.MatchString(s.Path):
		return fmt.Errorf("path: %q is no parameter", s.Path)
	case !slices.Contains(types, s.Type):
		return fmt.Errorf("type: %q is not allowed: %s", s.Type, strings.Join(types, ", "))
	case s.Ensure != "" && !parameterPath.MatchString(s.Ensure):
		return fmt.Errorf("ensure: %q is no instance", s.Ensure)
	case s.Verify != "" && s.Verify != "value" && s.Verify != "none":
		return fmt.Errorf("verify: %q is not allowed: value or none", s.Verify)
	}
	for _, found := range placeholder.FindAllString(s.Path+s.Ensure+s.Value, -1) {
		if !slices.Contains(settingNames, strings.Trim(found, "{}")) {
			return fmt.Errorf("%s is neither a variable nor a setting", found)
		}
	}
	return nil
}

// expand replaces {name} by what names hold; others stay.
func expand(text string, names map[string]string) string {
	return placeholder.ReplaceAllStringFunc(text, func(found string) string {
		if value, known := names[strings.Trim(found, "{}")]; known {
			return value
		}
		return found
	})
}
