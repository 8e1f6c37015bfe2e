package release

import (
	"fmt"
	"math"
	"strconv"
)

// OrNothing is the release's id for a text, or "nothing" for an environment without a release.
func OrNothing(releaseID string) string {
	if releaseID == "" {
		return "nothing"
	}

	return releaseID
}

// Percent writes a weight, in basis points, as a percentage: 250 is "2.5 %".
func Percent(weight int) string { return fmt.Sprintf("%g %%", float64(weight)/100) }

// number writes a number for people: 61,000, and two digits where it is small and not whole, 0.08.
func number(x float64) string {
	switch {
	case math.IsNaN(x) || math.IsInf(x, 0):
		return fmt.Sprint(x)
	case x > 1e9:
		return fmt.Sprintf("%.0e", x)
	case x < 10 && x != math.Trunc(x):
		return strconv.FormatFloat(x, 'g', 2, 64)
	}

	digits := strconv.FormatFloat(x, 'f', 0, 64)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}

	return digits
}
