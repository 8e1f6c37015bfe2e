package statemachine

// RepairRelease is the name under which Repair has the lease, and that of its own record in the
// ledger.
const RepairRelease = "repair"

// RepairInput is what lockstep doctor and lockstep repair hand to Repair.
type RepairInput struct {
	// DryRun changes nothing: it says what differs, and what would be done.
	DryRun bool `json:"dryRun"`
}

// Diagnosis is what Repair found, and did.
type Diagnosis struct {
	// UnderWay is the release that runs; what it is changing cannot be judged meanwhile.
	UnderWay string    `json:"underWay,omitempty"`
	Findings []Finding `json:"findings"`
}

// Finding is a difference between the ledger and what is there. Kind and Subject are what code
// reads; the other texts are for people.
type Finding struct {
	Kind FindingKind `json:"kind"`
	// Subject is the object, environment, release, schedule or execution that it is about.
	Subject string `json:"subject"`
	Text    string `json:"text"`
	// Repair is what repair does about it; "" where only a person can.
	Repair string `json:"repair,omitempty"`
	// Repaired says that it was done; Failed is why it could not be.
	Repaired bool   `json:"repaired"`
	Failed   string `json:"failed,omitempty"`
}

// FindingKind is what differs. Each is declared where doctor finds it.
type FindingKind string

// Outcome records what came of the repair. It is an error only where somebody else has the lease
// by now.
func (f *Finding) Outcome(err error) error {
	if Name(err) == LockLost {
		return err
	}

	if f.Repaired = err == nil; err != nil {
		f.Failed = err.Error()
	}

	return nil
}
