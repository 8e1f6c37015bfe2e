package lint

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"lockstep/statemachine/migration"
)

// file is a migration with its parsed statements.
type file struct {
	migration.File
	statements []located
	allowed    []allowance
	findings   []Finding
}

// located is a parsed statement and its place in the file.
type located struct {
	node
	down       bool    // whether it belongs to the Down
	text       string  // the goose statement that contains it, with its comments
	at         int     // the statement's first byte in text
	tokens     []token // of text
	line       int     // the line of text's first byte
	from, last int     // the lines of the statement and of the comments above it
}

// allowance is a comment that allows a rule for the statement that follows or contains it.
type allowance struct {
	rule Rule
	line int
	used bool
}

// read parses the statements of a file and locates them in it. SQL that Postgres cannot parse is a
// finding.
func read(m migration.File) *file {
	m.Body = []byte(strings.ReplaceAll(string(m.Body), "\r\n", "\n"))
	f := &file{File: m}

	body, from, above := string(m.Body), 0, 1 // above is the line after the previous statement
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

// add parses a goose statement. from is the first line of the comments above it, line its own.
func (f *file) add(text string, down bool, from, line int) {
	statements, err := parse(text)
	if err != nil {
		f.findings = append(f.findings, Finding{f.Name, line, "",
			fmt.Sprintf("found SQL that Postgres cannot parse: %v", err)})

		return
	}

	tokens, _ := scan(text) // text that parses can be scanned
	for _, s := range statements {
		f.statements = append(f.statements, located{
			node: s.Stmt, down: down, text: text, at: s.Location, tokens: tokens,
			line: line, from: from, last: line + strings.Count(text, "\n"),
		})
	}
}

func lineAt(body string, at int) int { return 1 + strings.Count(body[:at], "\n") }

var allow = regexp.MustCompile(`^--\s*lockstep:allow\b\s*([\w-]*)\s*:?\s*(.*)$`)

// comments collects the allowances. The scanner tells a comment from a string that looks like one.
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
				fmt.Sprintf("found no reason, expected -- lockstep:allow %s: why it is safe here", rule)})
		default:
			f.allowed = append(f.allowed, allowance{rule: rule, line: line})
		}
	}
}

// found adds a finding at a byte of a statement's text, unless a comment allows it.
func (f *file) found(s located, at int, rule Rule, format string, args ...any) {
	for i, a := range f.allowed {
		if a.rule == rule && a.line >= s.from && a.line <= s.last {
			f.allowed[i].used = true
			return
		}
	}

	line := s.line + strings.Count(s.text[:min(at, len(s.text))], "\n")
	f.findings = append(f.findings, Finding{f.Name, line, rule, fmt.Sprintf(format, args...)})
}

// unallowed are the findings that no comment allows, and one for each comment that allows nothing:
// it would hide a later mistake.
func (f *file) unallowed() []Finding {
	findings := f.findings
	for _, a := range f.allowed {
		if !a.used {
			findings = append(findings, Finding{f.Name, a.line, Allow,
				fmt.Sprintf("found nothing that %s would have refused in the statement that follows; remove "+
					"the comment", a.rule)})
		}
	}

	return findings
}

// word is the first byte of a name in the statement, or else the statement's first byte. So a
// finding in a long ALTER TABLE has the right line.
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

// mentions tells whether code, in SQL or another language, has the name as a word.
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
