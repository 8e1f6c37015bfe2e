package functions_test

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/tools/go/packages"
)

// What the house looks like, held by tests: no circle among the files of a room, files and functions
// that a person can hold in their head, and no code that decides by the words of a sentence.

const (
	longestFile     = 300 // lines
	longestFunction = 60  // lines, with its signature
)

// house are the packages of the product with their types, without tests.
var house = sync.OnceValues(func() ([]*packages.Package, error) {
	return packages.Load(&packages.Config{
		Mode: packages.NeedName | packages.NeedFiles | packages.NeedSyntax | packages.NeedTypes |
			packages.NeedTypesInfo | packages.NeedImports,
	}, "lockstep/...")
})

func rooms(t *testing.T) []*packages.Package {
	t.Helper()

	if testing.Short() {
		t.Skip("loads every package with its types")
	}

	list, err := house()
	if err != nil {
		t.Fatal(err)
	}

	for _, p := range list {
		for _, e := range p.Errors {
			t.Fatal(e)
		}
	}

	return list
}

// uses are the files of a package that each file uses: a type, a function, a method, a variable.
type uses map[string]map[string]string // user, used, the first thing that it uses

func usesOf(p *packages.Package) uses {
	at := func(pos token.Pos) string { return filepath.Base(p.Fset.Position(pos).Filename) }
	graph := uses{}

	for _, file := range p.Syntax {
		user := at(file.Pos())
		graph[user] = map[string]string{}

		ast.Inspect(file, func(n ast.Node) bool {
			id, ok := n.(*ast.Ident)
			if !ok {
				return true
			}

			object := p.TypesInfo.Uses[id]
			if object == nil || object.Pkg() != p.Types || !shared(object) {
				return true
			}

			if used := at(object.Pos()); used != user && graph[user][used] == "" {
				graph[user][used] = object.Name()
			}

			return true
		})
	}

	return graph
}

// shared tells whether another file can use an object: it is the package's, or a method.
func shared(object types.Object) bool {
	if object.Parent() == object.Pkg().Scope() {
		return true
	}

	f, ok := object.(*types.Func)

	return ok && f.Signature().Recv() != nil
}

// circle is a way through the files that ends where it began; nil where there is none.
func (u uses) circle() []string {
	const entered, left = 1, 2

	state, path := map[string]int{}, []string{}

	var visit func(file string) []string

	visit = func(file string) []string {
		state[file], path = entered, append(path, file)

		for _, used := range slices.Sorted(maps.Keys(u[file])) {
			if state[used] == entered {
				return append(path[slices.Index(path, used):], used)
			}

			if state[used] != left {
				if found := visit(used); found != nil {
					return found
				}
			}
		}

		state[file], path = left, path[:len(path)-1]

		return nil
	}

	for _, file := range slices.Sorted(maps.Keys(u)) {
		if state[file] == 0 {
			if found := visit(file); found != nil {
				return found
			}
		}
	}

	return nil
}

// steps says of a circle what each file uses of the next.
func (u uses) steps(circle []string) string {
	var text strings.Builder
	for i := range len(circle) - 1 {
		fmt.Fprintf(&text, "\n\t%s uses %s of %s", circle[i], u[circle[i]][circle[i+1]], circle[i+1])
	}

	return text.String()
}

// A reader who opens one file of a room finds what it needs in files that do not need it back.
func TestStructure_NoCircleAmongFiles(t *testing.T) {
	for _, p := range rooms(t) {
		if !strings.HasPrefix(p.PkgPath, "lockstep/functions/") {
			continue
		}

		graph := usesOf(p)
		if circle := graph.circle(); circle != nil {
			t.Errorf("%s: its files use each other in a circle:%s", p.PkgPath, graph.steps(circle))
		}
	}
}

func TestStructure_FilesAndFunctions(t *testing.T) {
	for _, p := range rooms(t) {
		for _, file := range p.Syntax {
			if ast.IsGenerated(file) {
				continue
			}

			whole := p.Fset.File(file.Pos())
			if n := whole.LineCount(); n > longestFile {
				t.Errorf("%s: %d lines, expected at most %d", whole.Name(), n, longestFile)
			}

			for _, d := range file.Decls {
				f, ok := d.(*ast.FuncDecl)
				if !ok {
					continue
				}

				n := whole.Line(f.End()) - whole.Line(f.Pos()) + 1
				if n > longestFunction {
					t.Errorf("%s: %s has %d lines, expected at most %d",
						p.Fset.Position(f.Pos()), f.Name.Name, n, longestFunction)
				}
			}
		}
	}
}

// sentences are the fields that hold words for people, by their types in package statemachine.
var sentences = map[string][]string{
	"Event": {"Text"}, "StateChange": {"Text"}, "Cause": {"Text"}, "Held": {"Why"},
	"ReceivedSignal": {"Reason"}, "Finding": {"Text", "Repair", "Failed"}, "Failure": {"Cause"},
	"Notice": {"Where", "Why", "Done"},
}

// untyped are the files that read an error of the standard library for want of a type.
var untyped = map[string]string{
	"statemachine/decode.go":        "encoding/json: an unknown field",
	"statemachine/bundle/bundle.go": "os.Root: a path that leads out of it",
}

// matchers are the functions of package strings that look for words.
var matchers = []string{
	"Contains", "ContainsAny", "Cut", "CutPrefix", "CutSuffix", "EqualFold", "HasPrefix", "HasSuffix",
	"Index", "LastIndex", "TrimPrefix", "TrimSuffix",
}

// Whoever rewords a sentence must not change what the machine does.
func TestStructure_NobodyReadsSentences(t *testing.T) {
	needed := map[string]bool{}

	for _, p := range rooms(t) {
		for _, file := range p.Syntax {
			ast.Inspect(file, func(n ast.Node) bool {
				for _, operand := range compared(p, n) {
					what := sentence(p, operand)
					if what == "" {
						continue
					}

					at := p.Fset.Position(n.Pos())
					if name := strings.TrimPrefix(p.PkgPath, "lockstep/") + "/" +
						filepath.Base(at.Filename); untyped[name] != "" && what == anError {
						needed[name] = true
						continue
					}

					t.Errorf("%s: decides by the words of %s: give the fact a field or a type of its own",
						at, what)
				}

				return true
			})
		}
	}

	for name := range untyped {
		if !needed[name] {
			t.Errorf("%s reads no error any more: take it off the list", name)
		}
	}
}

// compared are the operands of a node that decides by text: a call of a matcher, or a comparison with a
// constant that is not empty.
func compared(p *packages.Package, n ast.Node) []ast.Expr {
	switch n := n.(type) {
	case *ast.CallExpr:
		selector, ok := n.Fun.(*ast.SelectorExpr)
		if !ok {
			return nil
		}

		f, ok := p.TypesInfo.Uses[selector.Sel].(*types.Func)
		if ok && f.Pkg() != nil && f.Pkg().Path() == "strings" && slices.Contains(matchers, f.Name()) {
			return n.Args
		}
	case *ast.BinaryExpr:
		if n.Op != token.EQL && n.Op != token.NEQ {
			return nil
		}

		for _, side := range []ast.Expr{n.X, n.Y} {
			if v := p.TypesInfo.Types[side].Value; v != nil && v.String() != `""` {
				return []ast.Expr{n.X, n.Y}
			}
		}
	}

	return nil
}

// anError is what an error says.
const anError = "an error"

// sentence names the words that an expression is: a field of sentences, or what an error says.
func sentence(p *packages.Package, e ast.Expr) string {
	switch e := e.(type) {
	case *ast.CallExpr:
		selector, ok := e.Fun.(*ast.SelectorExpr)
		if ok && selector.Sel.Name == "Error" && len(e.Args) == 0 {
			return anError
		}
	case *ast.SelectorExpr:
		field, ok := p.TypesInfo.Selections[e]
		if !ok {
			return ""
		}

		owner := field.Recv()
		if pointer, ok := owner.(*types.Pointer); ok {
			owner = pointer.Elem()
		}

		named, ok := owner.(*types.Named)
		if ok && named.Obj().Pkg() != nil && named.Obj().Pkg().Path() == "lockstep/statemachine" &&
			slices.Contains(sentences[named.Obj().Name()], e.Sel.Name) {
			return named.Obj().Name() + "." + e.Sel.Name
		}
	}

	return ""
}
