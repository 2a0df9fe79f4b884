package gate

// A Verdict is what a gate says of a report. Its JSON form is stable: outcomes and the status are words, not numbers.
type Verdict struct {
	Status    Status   `json:"status"`
	Alpha     float64  `json:"alpha"`     // chance of a false alarm over all tests together
	Threshold float64  `json:"threshold"` // smaller changes pass, significant or not: 0.05 is 5 %
	Units     []string `json:"units"`
	Tests     int      `json:"tests"` // what Holm's correction was made over: rows times units that were tested
	// Unusable says why the input can't be judged; it may come beside judgements of what could be.
	Unusable []string `json:"unusable,omitempty"`
	// Judgements stand in the order of the report's rows, behind them what was expected and isn't there.
	Judgements []Judgement `json:"judgements"`
}

// Status is a verdict in a word.
type Status string

const (
	Pass     Status = "pass"
	Fail     Status = "fail"     // something failed; what could not be judged beside it doesn't matter
	Unusable Status = "unusable" // nothing failed, but not everything could be judged
)

// ExitCode is the exit status that a command should end with: 0 for a pass, 1 for a failure, 2 for input that can't be judged.
func (v *Verdict) ExitCode() int {
	switch v.Status {
	case Pass:
		return 0
	case Fail:
		return 1
	}
	return 2
}

// Failures are the judgements that make the verdict a failure.
func (v *Verdict) Failures() []Judgement {
	var f []Judgement
	for _, j := range v.Judgements {
		if j.Outcome.Fails() {
			f = append(f, j)
		}
	}
	return f
}

// count returns the number of judgements with an outcome.
func (v *Verdict) count(o Outcome) int {
	n := 0
	for _, j := range v.Judgements {
		if j.Outcome == o {
			n++
		}
	}
	return n
}

// An Outcome is what became of a row, or of a row in one unit.
type Outcome string

const (
	Worse   Outcome = "worse"   // significantly, by more than the threshold, in the unit's wrong direction: fails
	Changed Outcome = "changed" // an exact unit that has no better direction differs: fails
	Missing Outcome = "missing" // on the new side, or of those expected: fails
	Refused Outcome = "refused" // the two sides must not be compared: fails
	Blind   Outcome = "blind"   // too few samples for any change to be significant: the verdict is no pass
	Better  Outcome = "better"  // as worse, in the right direction
	Same    Outcome = "same"    // no change that is significant and larger than the threshold
	New     Outcome = "new"     // the base doesn't have it
)

func (o Outcome) Fails() bool { return o == Worse || o == Changed || o == Missing || o == Refused }

// A Judgement is what became of a row, or where Unit is not empty of the row in that unit.
type Judgement struct {
	Row     string  `json:"row,omitempty"` // the row's key; "" for the files as a whole
	Unit    string  `json:"unit,omitempty"`
	Outcome Outcome `json:"outcome"`
	// Base and New are the medians, Change is New/Base - 1: absent where there was no comparison, or the base is 0.
	Base   *float64 `json:"base,omitempty"`
	New    *float64 `json:"new,omitempty"`
	Change *float64 `json:"change,omitempty"`
	// Samples are the numbers of samples of the base and the new side, where they were tested.
	Samples []int `json:"samples,omitempty"`
	// P is the test's, Holm the same corrected for all tests; absent for exact units, which are not tested.
	P    *float64 `json:"p,omitempty"`
	Holm *float64 `json:"p_holm,omitempty"`
	Why  string   `json:"why,omitempty"` // the outcome if there are no numbers, or what to doubt in them
}
