package cf

import (
	"slices"
	"strings"
)

// datetimeUnits are NumPy's units of fixed length, as CF spells them.
var datetimeUnits = map[string]string{"W": "weeks", "D": "days", "h": "hours", "m": "minutes", "s": "seconds",
	"ms": "milliseconds", "us": "microseconds", "μs": "microseconds", "ns": "nanoseconds"}

// UnitOf returns the name of a unit of NumPy's datetime64, such as "hours" for "h", or false if it
// has no fixed length.
func UnitOf(numpy string) (string, bool) {
	unit, ok := datetimeUnits[numpy]
	return unit, ok
}

// CountsSince reports whether units count from a date. The words are those of the udunits library,
// and "day as %Y%m%d.%f".
func CountsSince(units string) bool {
	fields := strings.Fields(strings.ToLower(units))
	return len(fields) > 1 && (strings.Contains(strings.Join(fields[1:], " "), "since") ||
		slices.Contains([]string{"after", "from", "ref", "@"}, fields[1]) ||
		fields[1] == "as" && len(fields) > 2 && strings.HasPrefix(fields[2], "%y"))
}

// timeLengths are the units that xarray takes for those of lengths of time.
var timeLengths = func() map[string]bool {
	m := map[string]bool{"d": true, "h": true, "hr": true, "hrs": true, "min": true, "mins": true, "s": true, "sec": true, "secs": true}
	for _, unit := range datetimeUnits {
		m[unit], m[strings.TrimSuffix(unit, "s")] = true, true
	}
	return m
}()

// IsLength reports whether units are those of lengths of time, as those of a forecast's lead times.
func IsLength(units string) bool { return timeLengths[strings.ToLower(strings.TrimSpace(units))] }
