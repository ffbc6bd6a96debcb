package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Share is a part of a whole in percent; 0 for none.
type Share float64

// String is the form of the config, such as "0.1%".
func (s Share) String() string { return strconv.FormatFloat(float64(s), 'f', -1, 64) + "%" }

// parseShare reads a percentage.
func parseShare(text string) (Share, error) {
	n, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(text, "%")), 64)
	if err != nil || math.IsNaN(n) || n < 0 || n > 100 {
		return 0, fmt.Errorf("%q is not a percentage; write one from 0%% to 100%%, such as 5%% or 0.1%%", text)
	}
	return Share(n), nil
}
