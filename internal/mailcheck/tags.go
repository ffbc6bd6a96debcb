package mailcheck

import (
	"fmt"
	"strings"
)

// tags reads a tag list (RFC 6376, section 3.2), of which DMARC's is one too.
// Each tag may stand once.
func tags(list string) (map[string]string, error) {
	found := make(map[string]string)
	for part := range strings.SplitSeq(list, ";") {
		if strings.TrimSpace(part) == "" {
			continue
		}
		name, value, ok := strings.Cut(part, "=")
		name = strings.TrimSpace(name)
		if !ok || name == "" {
			return nil, fmt.Errorf("%s is not of the form name=value", quoted(strings.TrimSpace(part)))
		}
		if _, double := found[name]; double {
			return nil, fmt.Errorf("%s= stands twice", shown(name))
		}
		found[name] = strings.TrimSpace(value)
	}
	return found, nil
}
