package asl

import (
	"cmp"
	"slices"
	"time"
)

// A run whose process died continues in another one by replaying its history. Every state runs
// again, but its events are not recorded twice, its calls return what they returned, and its waits
// are over. Where the history ends, things happen for the first time. Timeouts and waits count from
// the times in the history.

// cutShort is the error of a call whose answer was lost with the process, as when Lambda's own
// process dies.
var cutShort = &TaskError{Name: "Runtime.ExitError", Cause: `{"errorType":"Runtime.ExitError",` +
	`"errorMessage":"the run was cut short while the function worked"}`}

// replay takes the next event of the past in place of e. It stops the run if they differ.
func (r *run) replay(e Event) {
	happened := r.past[0]
	if what, was := e.what(), happened.what(); what != was {
		r.last, r.past = r.past[len(r.past)-1].ID, nil
		r.stop(runtimeError("event %d of the history is %s, but the definition has %s",
			happened.ID, was, what))

		return
	}

	r.past, r.last, r.now = r.past[1:], happened.ID, happened.Timestamp
}

// what names the kind of event, and the state that it enters.
func (e Event) what() string {
	if e.StateEntered != nil {
		return e.Type + " of " + e.StateEntered.Name
	}

	return e.Type
}

// past is how a call of the past ended; ended is false if it still waits for its token. A call that
// was cut short ended at that time.
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

// handedOut is the token of an attempt of the past; "" for a new attempt.
func (t *task) handedOut(r *run) string {
	if len(r.past) == 0 || r.past[0].TaskScheduled == nil {
		return ""
	}

	parameters, _ := decode([]byte(r.past[0].TaskScheduled.Parameters))

	return tokenIn(t.parameters, parameters)
}

// tokenIn finds the token in the parameters that a template was filled to; "" if there is none.
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

// Token is a token as it is saved for a later process.
type Token struct {
	Token  string
	Over   bool    // it takes no more answers
	Answer *Answer `json:",omitempty"` // nil if it has none
}

// Answer is the answer to a token: an output, which is JSON, or an error.
type Answer struct {
	Output []byte     `json:",omitempty"`
	Err    *TaskError `json:",omitempty"`
}

// Save returns every token that was handed out, sorted.
func (t *Tokens) Save() []Token {
	t.mu.Lock()
	defer t.mu.Unlock()

	list := make([]Token, 0, len(t.tickets))
	for _, k := range t.tickets {
		saved := Token{Token: k.token, Over: k.over}
		if k.given != nil {
			saved.Answer = &Answer{Output: k.given.output}
			if k.given.err != nil {
				saved.Answer.Err = asTaskError(k.given.err)
			}
		}

		list = append(list, saved)
	}

	slices.SortFunc(list, func(a, b Token) int { return cmp.Compare(a.Token, b.Token) })

	return list
}

// Load adds the tokens that an earlier process saved.
func (t *Tokens) Load(list []Token) {
	t.mu.Lock()
	defer t.mu.Unlock()

	for _, saved := range list {
		k := t.add(saved.Token)

		k.over = saved.Over
		if saved.Answer != nil {
			a := answer{output: saved.Answer.Output}
			if saved.Answer.Err != nil {
				a.err = saved.Answer.Err
			}

			k.accept(a)
		}
	}
}
