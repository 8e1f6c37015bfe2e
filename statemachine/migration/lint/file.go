package lint

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"lockstep/statemachine/migration"
)

// file is a migration with its statements parsed.
type file struct {
	migration.File
	statements []located
	allowed    []allowance
	findings   []Finding
}

// located is a parsed statement and where it stands.
type located struct {
	node
	down       bool
	text       string // with the comments inside it, and what else stands in the same goose statement
	at         int    // its first byte in text
	tokens     []token
	line       int // of text's first byte
	from, last int // the lines of the file that are its own, comments above it included
}

// allowance is a comment that allows a rule for the statement below it or around it.
type allowance struct {
	rule Rule
	line int
	used bool
}

// read parses a file's statements and finds them in it. What Postgres cannot parse is a finding.
func read(m migration.File) *file {
	m.Body = []byte(strings.ReplaceAll(string(m.Body), "\r\n", "\n"))
	f := &file{File: m}

	body, from, above := string(m.Body), 0, 1 // above: the first line that is nobody's yet
	for _, part := range []struct {
		statements []string
		down       bool
	}{{m.Up, false}, {m.Down, true}} {
		if at := regexp.MustCompile(`(?m)^--\s*\+goose\s+Down`).FindStringIndex(body); part.down &&
			at != nil {
			from, above = at[0], lineAt(body, at[0])
		}

		for _, text := range part.statements {
			start := from
			if i := strings.Index(body[from:], text); i >= 0 {
				start += i
			}

			f.add(text, part.down, above, lineAt(body, start))
			from = min(start+len(text), len(body))
			above = lineAt(body, from) + 1
		}
	}

	f.comments(body)

	return f
}

func (f *file) add(text string, down bool, from, line int) {
	statements, err := parse(text)
	if err != nil {
		f.findings = append(f.findings, Finding{f.Name, line, "",
			fmt.Sprintf("found SQL that Postgres cannot parse: %v", err)})

		return
	}

	tokens, _ := scan(text) // what parses, scans
	for _, s := range statements {
		f.statements = append(f.statements, located{node: s.Stmt, down: down, text: text, at: s.Location,
			tokens: tokens,
			line:   line, from: from, last: line + strings.Count(text, "\n")})
	}
}

func lineAt(body string, at int) int { return 1 + strings.Count(body[:at], "\n") }

var allow = regexp.MustCompile(`^--\s*lockstep:allow\b\s*([\w-]*)\s*:?\s*(.*)$`)

// comments collects what is allowed. The scanner tells comments from what only looks like one.
func (f *file) comments(body string) {
	tokens, err := scan(body)
	if err != nil {
		return // a statement of it did not parse either
	}

	for _, t := range tokens {
		if !t.comment {
			continue
		}

		match := allow.FindStringSubmatch(strings.TrimSpace(body[t.start:t.end]))
		if match == nil {
			continue
		}

		line := lineAt(body, t.start)

		switch rule := Rule(match[1]); {
		case !slices.Contains(rules, rule):
			f.findings = append(f.findings, Finding{f.Name, line, Allow,
				fmt.Sprintf("found %q, expected one of the rules %s", rule, join(rules))})
		case strings.TrimSpace(match[2]) == "":
			f.findings = append(f.findings, Finding{f.Name, line, Allow,
				fmt.Sprintf("found no reason, expected -- lockstep:allow %s: and why that is safe here", rule)})
		default:
			f.allowed = append(f.allowed, allowance{rule: rule, line: line})
		}
	}
}

// found notes what is wrong with a statement, at a byte of its text, unless a comment allows it.
func (f *file) found(s located, at int, rule Rule, format string, args ...any) {
	for i, a := range f.allowed {
		if a.rule == rule && a.line >= s.from && a.line <= s.last {
			f.allowed[i].used = true
			return
		}
	}

	f.findings = append(f.findings, Finding{f.Name, s.line +
		strings.Count(s.text[:min(at, len(s.text))], "\n"), rule, fmt.Sprintf(format, args...)})
}

// unallowed is what is left, and which allowances are for nothing: they would hide what comes
// later.
func (f *file) unallowed() []Finding {
	findings := f.findings
	for _, a := range f.allowed {
		if !a.used {
			findings = append(findings, Finding{f.Name, a.line, Allow,
				fmt.Sprintf("found nothing that %s would have refused in the statement that follows; take the "+
					"comment away", a.rule)})
		}
	}

	return findings
}

// word is the first byte at or after a statement's beginning where a name stands, so that a long
// ALTER TABLE is blamed on the right line.
func (s located) word(name string) int {
	begun := false

	first := s.at
	for _, t := range s.tokens {
		if t.comment || t.start < s.at {
			continue
		}

		if !begun {
			begun, first = true, t.start
		}

		if strings.EqualFold(strings.Trim(s.text[t.start:t.end], `"`), name) {
			return t.start
		}
	}

	return first
}

// mentions tells whether SQL, or a body in another language, has a name among its words.
func mentions(code, name string) bool {
	return regexp.MustCompile(`(?i)\b` + regexp.QuoteMeta(name) + `\b`).MatchString(code)
}

func join(list []Rule) string {
	words := make([]string, len(list))
	for i, r := range list {
		words[i] = string(r)
	}

	return strings.Join(words, ", ")
}
