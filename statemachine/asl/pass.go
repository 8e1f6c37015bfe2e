package asl

import "context"

// pass passes its input on, reshaped or replaced.
type pass struct {
	node
	fixed      *literal
	parameters template
	result     *path
}

func parsePass(o *object, n node) state {
	p := &pass{node: n}
	p.paths(o)
	p.transition(o)

	if raw, ok := o.take("Result"); ok {
		value, err := decode(raw)
		if err != nil {
			o.refuse("Result", "%w", err)
		}

		p.fixed = &literal{value}
	}

	p.parameters = o.template("Parameters")
	p.result = o.filter("ResultPath", parseReference)

	return p
}

func (p *pass) run(_ context.Context, r *run, input any) (any, string, error) {
	r.enter(&p.node, input)

	output, err := p.shape(r.scope(&p.node, input, 0, ""), input)
	if err != nil {
		return nil, "", r.fault(&p.node, err)
	}

	return output, p.next, r.exit(&p.node, output)
}

func (p *pass) shape(s scope, input any) (any, error) {
	result, err := p.narrow("InputPath", p.input, s)
	if err != nil {
		return nil, err
	}

	if p.parameters != nil {
		if result, err = p.parameters.fill(scope{result, s.context}); err != nil {
			return nil, err
		}
	}

	if p.fixed != nil {
		result = p.fixed.value
	}

	output := input
	if p.result != nil {
		if output, err = p.result.put(input, result); err != nil {
			return nil, err
		}
	}

	return p.narrow("OutputPath", p.output, scope{output, s.context})
}
