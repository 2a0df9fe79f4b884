package meta

import (
	"errors"
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"
)

// parseMoment reads a moment as NumPy prints datetime64 elements, as far as their unit goes: "1970", "1970-01-01T00",
// "1970-01-01T00:00:00.000". It returns how many units it is after 1970. Some writers have fill values so.
func parseMoment(s, unit string) (*big.Int, error) {
	errMoment := errors.New("not a moment, such as 1970-01-01T00:00:00")
	name := strings.TrimLeft(unit, "0123456789")
	per, err := strconv.ParseInt(strings.TrimSuffix(unit, name), 10, 64)
	if name == unit {
		per, err = 1, nil
	}
	if err != nil || per < 1 || per > math.MaxInt32 {
		return nil, errors.New("a unit of no length, or of one that can't be counted")
	}
	sign := 1
	if rest, before := strings.CutPrefix(s, "-"); before {
		s, sign = rest, -1
	}
	date, clock, timed := strings.Cut(s, "T")
	clock, fraction, _ := strings.Cut(clock, ".")
	part := [6]int{0, 1, 1} // year, month, day, hours, minutes, seconds
	ok := decimals(part[:3], strings.Split(date, "-"))
	if timed {
		ok = ok && strings.Count(date, "-") == 2 && decimals(part[3:], strings.Split(clock, ":"))
	}
	if !ok {
		return nil, errMoment
	}
	t := time.Date(sign*part[0], time.Month(part[1]), part[2], part[3], part[4], part[5], 0, time.UTC)
	if int(t.Month()) != part[1] || t.Day() != part[2] || t.Hour() != part[3] || t.Minute() != part[4] || t.Second() != part[5] {
		return nil, errMoment
	}
	switch name {
	case "Y":
		return floorDiv(big.NewInt(int64(t.Year())-1970), per), nil
	case "M":
		return floorDiv(big.NewInt((int64(t.Year())-1970)*12+int64(part[1])-1), per), nil
	}
	digits := map[string]int{"s": 0, "ms": 3, "us": 6, "μs": 6, "ns": 9, "ps": 12, "fs": 15, "as": 18}[name]
	switch name {
	case "W":
		per *= 7 * 86400
	case "D":
		per *= 86400
	case "h":
		per *= 3600
	case "m":
		per *= 60
	case "s", "ms", "us", "μs", "ns", "ps", "fs", "as":
	default:
		return nil, errMoment
	}
	if len(fraction) > digits {
		return nil, errMoment
	}
	fraction += strings.Repeat("0", digits-len(fraction))
	n, ok := new(big.Int).SetString("0"+fraction, 10)
	if !ok {
		return nil, errMoment
	}
	second := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(digits)), nil)
	n.Add(n, second.Mul(second, big.NewInt(t.Unix())))
	return floorDiv(n, per), nil
}

// decimals reads decimal numbers, no more than there are places for.
func decimals(to []int, text []string) bool {
	for i, s := range text {
		n, err := strconv.ParseUint(s, 10, 30)
		if err != nil || i == len(to) {
			return false
		}
		to[i] = int(n)
	}
	return true
}

// floorDiv divides by a positive number, rounding down.
func floorDiv(n *big.Int, by int64) *big.Int {
	return n.Div(n, big.NewInt(by)) // Euclidean division: for a positive divisor, the floor
}
