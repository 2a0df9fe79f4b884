package statsfile

import (
	"encoding/json"

	"zarrbench/internal/atomicfile"
)

// A BadList lists the steps of a store that can't be used, in the form that leave-outs of a
// selection take.
type BadList struct {
	Version int      `json:"version"`
	Except  []string `json:"except"`  // the steps' times in UTC, in order, each once
	Reasons []Reason `json:"reasons"` // at least one a step, in the order of Except
}

// A Reason says what is wrong with a channel at a step.
type Reason struct {
	Time    string `json:"time"`
	Channel string `json:"channel"`
	Reason  string `json:"reason"`
}

// WriteBadList writes a list of bad steps made of reasons, which are in order of time. A file that
// was there is replaced as a whole or not at all.
func WriteBadList(path string, reasons []Reason) error {
	list := BadList{Version: Version, Except: []string{}, Reasons: append([]Reason{}, reasons...)}
	for i, r := range reasons {
		if i == 0 || r.Time != reasons[i-1].Time {
			list.Except = append(list.Except, r.Time)
		}
	}
	text, err := json.MarshalIndent(list, "", "  ")
	if err != nil {
		return err
	}
	return atomicfile.Write(path, append(text, '\n'))
}
