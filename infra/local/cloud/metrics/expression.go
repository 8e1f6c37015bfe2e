package metrics

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// node is a part of a metric math expression.
type node interface {
	// names lists the ids of the queries that it refers to.
	names() []string
	eval(look func(name string) (value, error), w window) (value, error)
}

type (
	number  float64
	name    string
	list    []node
	negated struct{ of node }
	binary  struct {
		operator    string
		left, right node
	}
	call struct {
		function  string
		arguments []node
	}
)

func (number) names() []string    { return nil }
func (n name) names() []string    { return []string{string(n)} }
func (l list) names() []string    { return namesOf(l...) }
func (n negated) names() []string { return n.of.names() }
func (b binary) names() []string  { return namesOf(b.left, b.right) }
func (c call) names() []string    { return namesOf(c.arguments...) }

func namesOf(nodes ...node) (all []string) {
	for _, n := range nodes {
		all = append(all, n.names()...)
	}

	return all
}

// precedence lists the operators, from the lowest precedence to the highest.
var precedence = [][]string{
	{"||", "OR"},
	{"&&", "AND"},
	{"==", "!=", "<=", ">=", "<", ">"},
	{"+", "-"},
	{"*", "/"},
}

var token = regexp.MustCompile(
	`^\s*(?:(\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|([A-Za-z_]\w*)|(\|\||&&|[=!<>]=|[-+*/()<>,\[\]]))`)

type parser struct {
	tokens []string
	at     int
}

// parseExpression parses metric math: + - * /, comparisons, AND, OR, IF, FILL, LOG, SUM and lists
// in brackets.
func parseExpression(source string) (node, error) {
	p := &parser{}

	for rest := strings.TrimSpace(source); rest != ""; {
		found := token.FindString(rest)
		if found == "" {
			return nil, fmt.Errorf("found %q, expected a number, a name or an operator", rest)
		}

		p.tokens = append(p.tokens, strings.TrimSpace(found))
		rest = strings.TrimSpace(rest[len(found):])
	}

	n, err := p.binary(0)
	if err == nil && p.peek() != "" {
		err = fmt.Errorf("found %q, expected the end of the expression", p.peek())
	}

	return n, err
}

func (p *parser) peek() string {
	if p.at < len(p.tokens) {
		return p.tokens[p.at]
	}

	return ""
}

func (p *parser) take(want string) bool {
	if p.peek() == want {
		p.at++
		return true
	}

	return false
}

func (p *parser) binary(level int) (node, error) {
	if level == len(precedence) {
		return p.unary()
	}

	left, err := p.binary(level + 1)
	for err == nil && slices.Contains(precedence[level], p.peek()) {
		operator := p.tokens[p.at]
		p.at++

		var right node
		if right, err = p.binary(level + 1); err == nil {
			left = binary{operator, left, right}
		}
	}

	return left, err
}

func (p *parser) unary() (node, error) {
	if p.take("-") {
		of, err := p.unary()
		return negated{of}, err
	}

	word := p.peek()

	p.at++
	switch {
	case word == "(":
		inner, err := p.binary(0)
		if err == nil && !p.take(")") {
			err = fmt.Errorf("found %q, expected ')'", p.peek())
		}

		return inner, err
	case word == "[":
		elements, err := p.elements("]")
		return list(elements), err
	case word != "" && word[0] >= '0' && word[0] <= '9':
		x, err := strconv.ParseFloat(word, 64)
		return number(x), err
	case p.take("("):
		return p.call(word)
	case idPattern.MatchString(word) || word == repeat:
		return name(word), nil
	}

	return nil, fmt.Errorf("found %q, expected a number, the id of a query or a function", word)
}

func (p *parser) elements(end string) (elements []node, err error) {
	for {
		element, err := p.binary(0)
		if err != nil {
			return nil, err
		}

		elements = append(elements, element)
		if p.take(end) {
			return elements, nil
		}

		if !p.take(",") {
			return nil, fmt.Errorf("found %q, expected ',' or '%s'", p.peek(), end)
		}
	}
}

const repeat = "REPEAT"

// arity is the least and the greatest number of arguments of each function.
var arity = map[string][2]int{"IF": {2, 3}, "FILL": {2, 2}, "LOG": {1, 1}, "SUM": {1, 1}}

func (p *parser) call(function string) (node, error) {
	arguments, err := p.elements(")")
	if err != nil {
		return nil, err
	}

	expected, ok := arity[function]
	if !ok {
		return nil, fmt.Errorf("function %s: this stand-in has IF, FILL, LOG and SUM", function)
	}

	if n := len(arguments); n < expected[0] || n > expected[1] {
		return nil, fmt.Errorf("%s: found %d arguments, expected %d to %d",
			function, n, expected[0], expected[1])
	}

	if function == "FILL" && arguments[1] == name(repeat) {
		function, arguments = repeat, arguments[:1]
	}

	return call{function, arguments}, nil
}
