package linegate_test

import (
	"go/ast"
	"go/parser"
	"go/scanner"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// importRule says what a package may import beside the standard library.
type importRule struct {
	ours    []string // folders of packages of ours; "." is the root
	foreign []string // module prefixes; anyModule allows all
}

const anyModule = "*"

// engineRule is that of everything beneath store.
var engineRule = importRule{ours: []string{".", "store"}, foreign: []string{anyModule}}

// storeRule is that of the engines themselves.
var storeRule = importRule{ours: []string{".", "store", "store/booking", "store/column"}, foreign: []string{anyModule}}

// importTable is the whole architecture: an arrow that is not in it is an
// error, and so is a package that is not in it. Tests may import what they need.
var importTable = map[string]importRule{
	".":              {},
	"dictionary":     {},
	"radiusd/wire":   {ours: []string{"dictionary"}, foreign: []string{"golang.org/x/sys/cpu"}},
	"policy":         {ours: []string{"."}, foreign: []string{"layeh.com/radius", "golang.org/x/crypto"}},
	"policy/dialect": {ours: []string{".", "dictionary", "radiusd/wire"}, foreign: []string{anyModule}},
	"telemetry":      {ours: []string{"."}, foreign: []string{anyModule}},
	"store":          {ours: []string{"."}, foreign: []string{anyModule}},
	"store/sqlite":   storeRule, "store/postgres": storeRule,
	"store/postgres/installed": {},
	"store/postgres/pgtest":    {ours: []string{".", "store", "store/postgres/installed"}, foreign: []string{anyModule}},
	"store/column":             {ours: []string{"."}},
	"store/storetest":          engineRule, "store/booking": engineRule,
	"store/cache": engineRule, "store/guard": engineRule, "store/snapshot": engineRule,
	"store/ledger": engineRule, "store/spool": engineRule, "store/bookkeeper": engineRule,
	"coa":            {ours: []string{".", "dictionary", "policy/dialect", "radiusd/wire"}, foreign: []string{anyModule}},
	"radiusd/client": {ours: []string{".", "dictionary", "radiusd/wire"}, foreign: []string{anyModule}},
	"radiusd": {
		ours:    []string{".", "dictionary", "radiusd/wire", "policy", "policy/dialect", "store", "telemetry", "coa"},
		foreign: []string{anyModule},
	},
	"provisioning":                   {ours: []string{"."}, foreign: []string{anyModule}},
	"provisioning/netbox":            {ours: []string{"."}, foreign: []string{anyModule}},
	"provisioning/netbox/netboxtest": {ours: []string{"provisioning/peertest"}, foreign: []string{anyModule}},
	"provisioning/genieacs":          {ours: []string{"."}, foreign: []string{anyModule}},
	"provisioning/voltha":            {ours: []string{".", "provisioning/voltha/volthapb"}, foreign: []string{anyModule}},
	// What protoc made, and the fakes that the tests of provisioning talk to.
	"provisioning/voltha/volthapb":       {foreign: []string{anyModule}},
	"provisioning/peertest":              {foreign: []string{anyModule}},
	"provisioning/voltha/volthatest":     {ours: []string{"provisioning/peertest", "provisioning/voltha/volthapb"}, foreign: []string{anyModule}},
	"provisioning/genieacs/genieacstest": {ours: []string{"provisioning/peertest"}, foreign: []string{anyModule}},
	"api":                                {ours: []string{"."}, foreign: []string{anyModule}},
	"cmd/linegate/problem":               {ours: []string{"."}, foreign: []string{anyModule}},
	"cmd/linegate/config":                {ours: []string{".", "cmd/linegate/problem"}, foreign: []string{anyModule}},
	"cmd/linegate/peers":                 {ours: []string{"store/postgres/installed"}, foreign: []string{anyModule}},
	"cmd/linegate":                       {ours: []string{anyModule}, foreign: []string{anyModule}},
}

func TestImportsFollowTheTable(t *testing.T) {
	for _, file := range goFiles(t) {
		rule, known := importTable[file.folder]
		if !assert.True(t, known, "package %s is not in the import table", file.folder) || file.test {
			continue
		}
		for _, spec := range file.syntax.Imports {
			imported := strings.Trim(spec.Path.Value, `"`)
			assert.True(t, rule.allows(file.folder, imported), "%s: %s may not import %s", file.path, file.folder, imported)
		}
	}
}

func TestImportRuleTellsArrowsApart(t *testing.T) {
	cases := map[string]struct {
		from, to string
		allowed  bool
	}{
		"the root imports only the standard library":    {".", "golang.org/x/sync", false},
		"the standard library is open to all":           {".", "net/netip", true},
		"policy knows the nouns":                        {"policy", "linegate", true},
		"policy knows no store":                         {"policy", "linegate/store", false},
		"policy does no SQL":                            {"policy", "modernc.org/sqlite", false},
		"policy checks MS-CHAP with a foreign package":  {"policy", "layeh.com/radius/rfc2759", true},
		"a prefix of a module's name is not the module": {"policy", "layeh.com/radiusx", false},
		"the daemon knows no engine":                    {"radiusd", "linegate/store/sqlite", false},
		"an engine knows the contract":                  {"store/sqlite", "linegate/store", true},
		"an engine knows no other":                      {"store/sqlite", "linegate/store/cache", false},
		"the binary wires everything":                   {"cmd/linegate", "linegate/store/sqlite", true},
		"the configuration knows only the nouns":        {"cmd/linegate/config", "linegate/radiusd", false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, c.allowed, importTable[c.from].allows(c.from, c.to))
		})
	}
}

func (r importRule) allows(folder, imported string) bool {
	first, _, _ := strings.Cut(imported, "/")
	switch {
	case first == "linegate":
		target := path.Clean(strings.TrimPrefix(strings.TrimPrefix(imported, "linegate"), "/"))
		return slices.Contains(r.ours, anyModule) || slices.Contains(r.ours, target) || target == folder
	case strings.Contains(first, "."):
		return slices.ContainsFunc(r.foreign, func(module string) bool {
			return module == anyModule || imported == module || strings.HasPrefix(imported, module+"/")
		})
	}
	return true
}

func TestEveryPackageSaysWhatItIsFor(t *testing.T) {
	commented := map[string]bool{}
	for _, file := range goFiles(t) {
		if !file.test {
			commented[file.folder] = commented[file.folder] || file.syntax.Doc.Text() != ""
		}
	}
	for folder, has := range commented {
		assert.True(t, has, "package %s has no package comment", folder)
	}
}

var vendorName = regexp.MustCompile(`(?i)mikrotik|routeros|cisco|juniper|junos|huawei|nokia|ericsson|redback|alcatel|arista|calix|adtran|casa-?systems|\bzte\b`)

// Vendor names belong to the dialects and the dictionary: elsewhere they would
// be a special case in code that must have none.
func TestVendorNamesStayInDialectsAndDictionary(t *testing.T) {
	for _, file := range goFiles(t) {
		if file.folder == "policy/dialect" || file.folder == "dictionary" || file.path == "architecture_test.go" {
			continue
		}
		file.eachToken(func(position token.Position, kind token.Token, text string) {
			commentOfTest := kind == token.COMMENT && file.test
			if !commentOfTest && vendorName.MatchString(text) {
				t.Errorf("%s names a vendor: %s", position, text)
			}
		})
	}
}

var unfinished = regexp.MustCompile(`\b(TODO|FIXME|XXX)\b`)

func TestNothingIsLeftForLater(t *testing.T) {
	for _, file := range goFiles(t) {
		if file.path == "architecture_test.go" {
			continue
		}
		file.eachToken(func(position token.Position, kind token.Token, text string) {
			if kind == token.COMMENT && unfinished.MatchString(text) {
				t.Errorf("%s: %s", position, text)
			}
		})
	}
}

func TestNoPackageHasAnInitFunction(t *testing.T) {
	for _, file := range goFiles(t) {
		for _, declaration := range file.syntax.Decls {
			function, ok := declaration.(*ast.FuncDecl)
			assert.False(t, ok && function.Recv == nil && function.Name.Name == "init", "%s has an init function", file.path)
		}
	}
}

func TestNoTestSkips(t *testing.T) {
	for _, file := range goFiles(t) {
		file.eachSelector(func(on, name string, position token.Position) {
			skips := name == "Skip" || name == "Skipf" || name == "SkipNow"
			assert.False(t, skips && slices.Contains([]string{"t", "b", "f", "tb"}, on), "%s: %s.%s", position, on, name)
		})
	}
}

// A context that is made below cmd is one that no shutdown reaches.
func TestContextsComeFromTheCaller(t *testing.T) {
	for _, file := range goFiles(t) {
		if file.test || file.folder == "cmd/linegate" || file.folder == "store/storetest" {
			continue
		}
		file.eachSelector(func(on, name string, position token.Position) {
			fresh := on == "context" && (name == "Background" || name == "TODO")
			assert.False(t, fresh, "%s: context.%s", position, name)
		})
	}
}

// goFile is one Go file of the repository, parsed.
type goFile struct {
	path   string // from the repository root, with slashes
	folder string // of path; "." is the root
	test   bool
	source []byte
	set    *token.FileSet
	syntax *ast.File
}

func goFiles(t *testing.T) []*goFile {
	t.Helper()
	var files []*goFile
	err := filepath.WalkDir(".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && name != "." && (strings.HasPrefix(entry.Name(), ".") || entry.Name() == "testdata" || name == "bin" || name == "var"):
			return filepath.SkipDir
		case entry.IsDir() || filepath.Ext(name) != ".go" || strings.HasSuffix(name, ".pb.go"):
			return nil // a generator's code follows the generator's rules
		}
		files = append(files, parseGo(t, filepath.ToSlash(name)))
		return nil
	})
	require.NoError(t, err)
	require.NotEmpty(t, files)
	return files
}

func parseGo(t *testing.T, name string) *goFile {
	t.Helper()
	source, err := os.ReadFile(name)
	require.NoError(t, err)
	set := token.NewFileSet()
	syntax, err := parser.ParseFile(set, name, source, parser.ParseComments|parser.SkipObjectResolution)
	require.NoError(t, err)
	return &goFile{path: name, folder: path.Dir(name), test: strings.HasSuffix(name, "_test.go"), source: source, set: set, syntax: syntax}
}

// eachToken calls fn for every identifier, literal and comment.
func (f *goFile) eachToken(fn func(token.Position, token.Token, string)) {
	set := token.NewFileSet()
	file := set.AddFile(f.path, -1, len(f.source))
	var lexer scanner.Scanner
	lexer.Init(file, f.source, nil, scanner.ScanComments)
	for {
		at, kind, text := lexer.Scan()
		if kind == token.EOF {
			return
		}
		if kind == token.COMMENT || kind.IsLiteral() {
			fn(set.Position(at), kind, text)
		}
	}
}

// eachSelector calls fn for every on.name where on is a plain identifier.
func (f *goFile) eachSelector(fn func(on, name string, position token.Position)) {
	ast.Inspect(f.syntax, func(node ast.Node) bool {
		if selector, ok := node.(*ast.SelectorExpr); ok {
			if on, plain := selector.X.(*ast.Ident); plain {
				fn(on.Name, selector.Sel.Name, f.set.Position(selector.Pos()))
			}
		}
		return true
	})
}
