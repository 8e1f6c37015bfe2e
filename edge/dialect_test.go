package edge_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"lockstep/edge"
)

// forbidden is the syntax that CloudFront's runtime 2.0 refuses at creation, or only at run time.
var forbidden = []struct {
	name    string
	pattern *regexp.Regexp
	// except is a line that matches and is allowed.
	except *regexp.Regexp
}{
	{"optional chaining", regexp.MustCompile(`\?\.\D`), nil},
	{"?? or a logical assignment", regexp.MustCompile(`\?\?|\|\|=|&&=`), nil},
	{"spread or rest", regexp.MustCompile(`\.\.\.`), nil},
	{"destructuring", regexp.MustCompile(`\b(const|let|var)\s*[\[{]|[(,]\s*[\[{][^()]*[\]}]\s*(=>|\)\s*(=>|\{))|^\s*[\[][^\]]*\]\s*=[^=]`), nil},
	{"a default parameter", regexp.MustCompile(`function\b[^(]*\([^)]*=|\([^()]*[^=!<>]=[^=>][^()]*\)\s*=>`), nil},
	{"a class", regexp.MustCompile(`\bclass\s`), nil},
	{"for-of", regexp.MustCompile(`\bfor\s*(await\s*)?\([^;]*\sof\s`), nil},
	{"a generator", regexp.MustCompile(`\bfunction\s*\*|\byield\b`), nil},
	{"catch without a binding", regexp.MustCompile(`\bcatch\s*\{`), nil},
	{"Map, Set or another missing global", regexp.MustCompile(`\b(Map|Set|WeakMap|WeakSet|Proxy|Reflect|BigInt|URL|URLSearchParams)\b\s*\(`), nil},
	{"eval, a timer or the network", regexp.MustCompile(`\b(eval|Function|setTimeout|setInterval|setImmediate|fetch|XMLHttpRequest)\s*\(`), nil},
	{"the environment", regexp.MustCompile(`\bprocess\s*\.`), nil},
	{"an import that the runtime lacks", regexp.MustCompile(`^\s*import\b(.*['"](fs|xml|zlib|webcrypto)['"]|\s*[*{(])`), nil},
	{"an await that is not a statement of its own: const x = await ...;",
		regexp.MustCompile(`\bawait\b`), regexp.MustCompile(`^\s*const \w+\s*=\s*await [^;]*;\s*$`)},
	{"an async function within another", regexp.MustCompile(`^.+\basync\b`), nil},
}

// noise matches strings, comments and regular expressions, which may contain anything.
var (
	noise  = regexp.MustCompile(`'(\\.|[^'\\\n])*'|"(\\.|[^"\\\n])*"|//[^\n]*|(?s:/\*.*?\*/)|([=(,:]\s*)/(\\.|\[(\\.|[^\]\n])*\]|[^/\\\n*])(\\.|\[(\\.|[^\]\n])*\]|[^/\\\n])*/`)
	inText = regexp.MustCompile(`\W`)
	inLine = regexp.MustCompile(`[^\n]`)
)

// dialect finds the syntax that the runtime refuses, each as file:line. It reads lines, not a
// syntax tree, so other tests run the code under njs.
func dialect(file, source string) []string {
	source = noise.ReplaceAllStringFunc(source, func(text string) string {
		if quote := text[:1]; quote == "'" || quote == `"` {
			// an import is known by its module
			return quote + inText.ReplaceAllString(text[1:len(text)-1], "_") + quote
		}

		return inLine.ReplaceAllString(text, " ")
	})

	var found []string

	for i, line := range strings.Split(source, "\n") {
		for _, f := range forbidden {
			if f.pattern.MatchString(line) && (f.except == nil || !f.except.MatchString(line)) {
				found = append(found, fmt.Sprintf("%s:%d: %s", file, i+1, f.name))
			}
		}
	}

	return found
}

func TestRouter_KeepsToTheDialect(t *testing.T) {
	// What is shipped has few lines, but the same syntax.
	for file, source := range map[string]string{"router.js": edge.Router,
		"router.js as shipped": strings.NewReplacer(";", ";\n", "{", "{\n").Replace(shipped(t))} {
		for _, found := range dialect(file, source) {
			t.Error(found)
		}
	}
}

func TestDialect_Refuses(t *testing.T) {
	for source, name := range map[string]string{
		"const x = a?.b;":                          "optional chaining",
		"x ??= 1;":                                 "?? or a logical assignment",
		"const x = a ?? b;":                        "?? or a logical assignment",
		"f(...args);":                              "spread or rest",
		"const { a } = b;":                         "destructuring",
		"let [a, b] = c;":                          "destructuring",
		"function f({ a }) {":                      "destructuring",
		"xs.map(([a, b]) => a);":                   "destructuring",
		"function f(a = 1) {":                      "a default parameter",
		"const f = (a = 1) => a;":                  "a default parameter",
		"class A {}":                               "a class",
		"for (const x of xs) {":                    "for-of",
		"function* f() {":                          "a generator",
		"try { f(); } catch { g(); }":              "catch without a binding",
		"const m = new Map();":                     "Map, Set or another missing global",
		"setTimeout(f, 1);":                        "eval, a timer or the network",
		"const x = process.env.X;":                 "the environment",
		"import fs from 'fs';":                     "an import that the runtime lacks",
		"import { a } from 'crypto';":              "an import that the runtime lacks",
		"f(await g());":                            "an await that is not a statement of its own: const x = await ...;",
		"return await g();":                        "an await that is not a statement of its own: const x = await ...;",
		"    const f = async () => { return 1; };": "an async function within another",
		"    async function f() {":                 "an async function within another",
	} {
		want := "x.js:2: " + name
		if found := dialect("x.js", "// a line\n"+source); !slices.Contains(found, want) {
			t.Errorf("%s: found %q, expected %q", source, found, want)
		}
	}
}

func TestDialect_Allows(t *testing.T) {
	for _, source := range []string{
		"// no f(await x), a?.b, ...rest or class in a comment",
		"const x = 'a?.b ... class ';",
		"const p = /^([ab])\\.(.{12})$|a?.b/;",
		"const x = await cf.kvs().get('route', { format: 'json' });",
		"async function handler(event) {",
		"const x = a ? .5 : b;",
		"const f = (a, b) => a === b;",
		"if (a === b) {",
		"f({ a: 1 }, b);",
		"for (let i = 0; i < n; i++) {",
		"import crypto from 'crypto';",
	} {
		if found := dialect("x.js", source); len(found) > 0 {
			t.Errorf("%s: found %q, expected nothing", source, found)
		}
	}
}
