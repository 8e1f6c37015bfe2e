package statemachine

import "strings"

// Repairs is the name under which Repair holds the lock, and that of its own record in the ledger.
const RepairRelease = "repair"

// RepairInput is what lockstep doctor and lockstep repair hand to Repair.
type RepairInput struct {
	// DryRun changes nothing: it says what is wrong, and what would be done.
	DryRun bool `json:"dryRun"`
}

// Diagnosis is what Repair found, and did.
type Diagnosis struct {
	// UnderWay is the release that runs; what it is changing cannot be judged meanwhile.
	UnderWay string    `json:"underWay,omitempty"`
	Findings []Finding `json:"findings"`
}

// Finding is something that is not as it should be.
type Finding struct {
	What   string `json:"what"`
	Repair string `json:"repair"` // what is done about it
	// Mended says that it was done; Failed is why it could not be.
	Mended bool   `json:"mended"`
	Failed string `json:"failed,omitempty"`
}

// Came notes what came of the repair. It is an error only where somebody else has the lock by now.
func (f *Finding) Came(err error) error {
	if Name(err) == LockLost {
		return err
	}

	if f.Mended = err == nil; err != nil {
		f.Failed = err.Error()
	}

	return nil
}

// LambdaName is the name of one of Lockstep's Lambdas.
func LambdaName(app string, task Task) string {
	return "lockstep-" + app + "-" + strings.ToLower(string(task))
}
