package step

import (
	"lockstep/functions/internal/release"
	sm "lockstep/statemachine"
)

// request is what Begin was asked for, once its bundle was checked.
type request struct {
	sm.BeginInput

	trigger  release.Trigger
	manifest sm.Manifest
	frozen   string // why nobody may begin; "" where they may, or where this one is a hotfix
}

// admitted is the lock as Begin left it: taken, or with an entry in the queue.
type admitted struct {
	lock   sm.Lock
	waited bool // it was in the queue before
}
