// Package numa keeps threads on the memory node that a device is attached to, where a machine has several: what a thread of
// another node reads for the device crosses the link between them.
package numa

import (
	"fmt"
	"strconv"
	"strings"
)

// parseList reads a list as the kernel writes them: "0-3,8".
func parseList(text string) ([]int, error) {
	const most = 1 << 16 // more than the kernel has CPUs or nodes
	var list []int
	text = strings.TrimSpace(text)
	if text == "" {
		return nil, nil
	}
	for part := range strings.SplitSeq(text, ",") {
		from, to, ranged := strings.Cut(part, "-")
		if !ranged {
			to = from
		}
		lo, errLo := strconv.ParseUint(from, 10, 32)
		hi, errHi := strconv.ParseUint(to, 10, 32)
		if errLo != nil || errHi != nil || lo > hi || hi >= most {
			return nil, fmt.Errorf("%q is no list of numbers", text)
		}
		for i := lo; i <= hi; i++ {
			list = append(list, int(i))
		}
	}
	return list, nil
}
