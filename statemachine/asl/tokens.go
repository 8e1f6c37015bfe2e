package asl

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"sync"
)

var (
	// ErrInvalidToken says that the token was never handed out.
	ErrInvalidToken = errors.New("invalid task token")
	// ErrTaskTimedOut says that the token's task is over: it was answered, it timed out, or its
	// execution ended.
	ErrTaskTimedOut = errors.New("the task of this token is over")
)

// Tokens passes answers from outside to the tasks that wait for them. A token takes one answer. The
// zero value is ready for use, by any number of executions at a time.
type Tokens struct {
	mu      sync.Mutex
	tickets map[string]*ticket
}

// ticket is what a task waits on. Both channels have room for one value, so that no sender blocks.
type ticket struct {
	token  string
	answer chan answer
	beat   chan struct{}
	over   bool
	given  *answer // the accepted answer, even if the task has not received it yet
}

// answer is the answer to a token, or the function's own.
type answer struct {
	output json.RawMessage
	err    error
}

// Succeed answers a task with its result, which must be JSON. Its errors are ErrInvalidToken and
// ErrTaskTimedOut.
func (t *Tokens) Succeed(token string, output json.RawMessage) error {
	return t.send(token, answer{output: output})
}

// Fail answers a task with an error. Its own errors are those of Succeed.
func (t *Tokens) Fail(token, name, cause string) error {
	return t.send(token, answer{err: &TaskError{Name: name, Cause: cause}})
}

func (t *Tokens) send(token string, a answer) error {
	t.mu.Lock()
	defer t.mu.Unlock()

	open, err := t.find(token)
	if err != nil {
		return err
	}

	open.accept(a)

	return nil
}

// Heartbeat restarts a task's heartbeat timeout. Its errors are those of Succeed.
func (t *Tokens) Heartbeat(token string) error {
	t.mu.Lock()
	defer t.mu.Unlock()

	open, err := t.find(token)
	if err != nil {
		return err
	}

	select {
	case open.beat <- struct{}{}:
	default:
	}

	return nil
}

func (t *Tokens) find(token string) (*ticket, error) {
	open := t.tickets[token]
	switch {
	case open == nil:
		return nil, ErrInvalidToken
	case open.over:
		return nil, ErrTaskTimedOut
	}

	return open, nil
}

func (k *ticket) accept(a answer) {
	k.over, k.given = true, &a
	k.answer <- a
}

// open makes a token or, in a replay, opens the one that was handed out.
func (t *Tokens) open(handedOut string) *ticket {
	t.mu.Lock()
	defer t.mu.Unlock()

	if open := t.tickets[handedOut]; open != nil {
		open.over = open.given != nil
		return open
	}

	if handedOut == "" {
		// As long as those of AWS, so that whatever stores or sends a token is tested with that length.
		var random [480]byte

		_, _ = rand.Read(random[:])
		handedOut = base64.StdEncoding.EncodeToString(random[:])
	}

	return t.add(handedOut)
}

func (t *Tokens) add(token string) *ticket {
	if t.tickets == nil {
		t.tickets = map[string]*ticket{}
	}

	open := &ticket{token: token, answer: make(chan answer, 1), beat: make(chan struct{}, 1)}
	t.tickets[token] = open

	return open
}

// close ends the token. It returns the answer if one was accepted, even if the task stopped waiting
// at the same moment: the sender was told so.
func (t *Tokens) close(open *ticket) (a answer, answered bool) {
	t.mu.Lock()
	defer t.mu.Unlock()

	open.over = true
	select {
	case a = <-open.answer:
		return a, true
	default:
		return answer{}, false
	}
}
