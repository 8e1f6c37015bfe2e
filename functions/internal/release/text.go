package release

import (
	"fmt"
)

func OrNothing(releaseID string) string {
	if releaseID == "" {
		return "nothing"
	}

	return releaseID
}

func Percent(weight int) string { return fmt.Sprintf("%g %%", float64(weight)/100) }
