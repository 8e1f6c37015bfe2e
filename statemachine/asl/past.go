package asl

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// A run that was cut short, with the process that it was in, goes on by going through its history
// once more: every state does again what it did, but what it records is there already, what it
// called has answered and what it waited for is over. Where the history ends, it happens for the
// first time. All times count from when things happened.

// cutShort is what a call ends with whose answer nobody heard: as when Lambda's process dies.
var cutShort = &TaskError{Name: "Runtime.ExitError",
	Cause: `{"errorType":"Runtime.ExitError","errorMessage":"the run was cut short while the function worked"}`}

// goPast takes the next event of the past for the one that happens again.
func (r *run) goPast(e Event) {
	happened := r.past[0]
	if what, was := e.what(), happened.what(); what != was {
		r.last, r.past = r.past[len(r.past)-1].ID, nil
		r.stop(&TaskError{Name: Runtime, Cause: fmt.Sprintf("event %d of the history is %s, where the "+
			"definition has %s", happened.ID, was, what)})

		return
	}

	r.past, r.last, r.now = r.past[1:], happened.ID, happened.Timestamp
}

// what tells events of different places in a definition apart.
func (e Event) what() string {
	if e.StateEntered != nil {
		return e.Type + " of " + e.StateEntered.Name
	}

	return e.Type
}

// past is how a call ended that was made before; ended is false where it still waits for its
// token. One that was cut short ended then, however long ago that was.
func (c *call) past(r *run, scheduled time.Time) (a answer, ended bool) {
	submitted := len(r.past) > 0 && r.past[0].TaskSubmitted != nil
	if submitted {
		r.record(r.past[0])
	}

	switch {
	case len(r.past) == 0 && submitted:
		return answer{}, false
	case len(r.past) == 0:
		return answer{err: cutShort}, true
	}

	switch e := r.past[0]; {
	case e.TaskSucceeded != nil:
		a.output = []byte(e.TaskSucceeded.Output.Output)
	case e.TaskFailed != nil:
		a.err = &TaskError{Name: e.TaskFailed.Error, Cause: e.TaskFailed.Cause}
	case e.TaskTimedOut != nil:
		inTime := e.Timestamp.Before(scheduled.Add(time.Duration(c.timeout) * time.Second))
		a.err = &TaskError{Name: Timeout, heartbeat: c.timeout == 0 || inTime}
	}

	return a, true
}

// handedOut is the token of an attempt of the past; none where it is made now.
func (t *task) handedOut(r *run) string {
	if len(r.past) == 0 || r.past[0].TaskScheduled == nil {
		return ""
	}

	parameters, _ := decode([]byte(r.past[0].TaskScheduled.Parameters))

	return tokenIn(t.parameters, parameters)
}

// tokenIn finds the token in what a template was filled to.
func tokenIn(t template, filled any) string {
	switch t := t.(type) {
	case lookup:
		if t.path.text == "$$.Task.Token" {
			token, _ := filled.(string)
			return token
		}

		if object, ok := filled.(map[string]any); ok && t.path.text == "$$.Task" {
			token, _ := object["Token"].(string)
			return token
		}
	case members:
		object, _ := filled.(map[string]any)
		for name, member := range t {
			if token := tokenIn(member, object[name]); token != "" {
				return token
			}
		}
	case elements:
		list, _ := filled.([]any)
		for i, element := range t[:min(len(t), len(list))] {
			if token := tokenIn(element, list[i]); token != "" {
				return token
			}
		}
	}

	return ""
}

// Token is a token as it is kept for a later run.
type Token struct {
	Token  string
	Over   bool
	Answer *Answer `json:",omitempty"`
}

// Answer is what a token was answered with: an output, or an error.
type Answer struct {
	Output []byte     `json:",omitempty"`
	Err    *TaskError `json:",omitempty"`
}

// Save has every token that was handed out.
func (t *Tokens) Save() []Token {
	t.mu.Lock()
	defer t.mu.Unlock()

	list := make([]Token, 0, len(t.tickets))
	for _, k := range t.tickets {
		kept := Token{Token: k.token, Over: k.over}
		if k.given != nil {
			kept.Answer = &Answer{Output: k.given.output}
			if k.given.err != nil {
				kept.Answer.Err = asTaskError(k.given.err)
			}
		}

		list = append(list, kept)
	}

	slices.SortFunc(list, func(a, b Token) int { return cmp.Compare(a.Token, b.Token) })

	return list
}

// Load has the tokens of an earlier run known again.
func (t *Tokens) Load(list []Token) {
	t.mu.Lock()
	defer t.mu.Unlock()

	for _, kept := range list {
		k := t.add(kept.Token)

		k.over = kept.Over
		if kept.Answer != nil {
			a := answer{output: kept.Answer.Output}
			if kept.Answer.Err != nil {
				a.err = kept.Answer.Err
			}

			k.accept(a)
		}
	}
}
