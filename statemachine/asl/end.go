package asl

import "context"

// succeed ends the execution with success.
type succeed struct{ node }

func parseSucceed(o *object, n node) state {
	s := &succeed{n}
	s.paths(o)

	return s
}

func (s *succeed) run(_ context.Context, r *run, input any) (any, string, error) {
	r.enter(&s.node, input)
	from := r.scope(&s.node, input, 0, "")

	var err error
	if from.input, err = s.narrow("InputPath", s.input, from); err != nil {
		return nil, "", r.fault(&s.node, err)
	}

	output, err := s.narrow("OutputPath", s.output, from)
	if err != nil {
		return nil, "", r.fault(&s.node, err)
	}

	return output, "", r.exit(&s.node, output)
}

// fail ends the execution with an error, whose name and cause are literal or found by paths.
type fail struct {
	node
	name, cause         string
	namePath, causePath *path
}

func parseFail(o *object, n node) state {
	f := &fail{node: n}

	o.oneOf(true, "Error", "ErrorPath")
	o.oneOf(true, "Cause", "CausePath")
	f.name, _ = o.text("Error")
	f.cause, _ = o.text("Cause")
	f.namePath, f.causePath = o.path("ErrorPath", parsePath), o.path("CausePath", parsePath)

	return f
}

func (f *fail) run(_ context.Context, r *run, input any) (any, string, error) {
	r.enter(&f.node, input)
	s := r.scope(&f.node, input, 0, "")

	e := &TaskError{Name: f.name, Cause: f.cause}
	for _, found := range []struct {
		field string
		path  *path
		into  *string
	}{{"ErrorPath", f.namePath, &e.Name}, {"CausePath", f.causePath, &e.Cause}} {
		if found.path == nil {
			continue
		}

		value, _ := found.path.get(s)

		text, ok := value.(string)
		if !ok {
			return nil, "", r.fault(&f.node, runtimeError(
				"The %s '%s' found %s, expected a string, in the input '%s'",
				found.field, found.path.text, encode(value), encode(input)))
		}

		*found.into = text
	}

	return nil, "", e
}
