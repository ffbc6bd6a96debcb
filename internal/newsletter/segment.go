package newsletter

import (
	"fmt"
	"slices"
	"strings"
)

// Segment is a part of the subscribers by their tags: whoever has any of those
// named, and none of those behind an exclamation mark. One that names only such
// as are left out holds everybody else. An empty one holds everybody.
type Segment []string

// Everyone stands where a segment is asked for and none is meant, in the place
// of the publication's own.
const Everyone = "*"

const (
	segmentNot = "!"
	// maxSegment bounds how many tags a segment names.
	maxSegment = 50
)

// ParseSegment reads a segment from its tags, each once.
func ParseSegment(tags []string) (Segment, error) {
	var s Segment
	for _, t := range tags {
		bare, not := strings.CutPrefix(strings.TrimSpace(t), segmentNot)
		bare = strings.Join(strings.Fields(bare), " ")
		switch {
		case bare == "":
			return nil, fmt.Errorf("%q names no tag; write one such as members, or \"!members\" for all but those", t)
		case bare == Everyone && (not || len(tags) > 1):
			return nil, fmt.Errorf("%q stands for everybody; write it alone", Everyone)
		case not:
			bare = segmentNot + bare
		}
		if !slices.Contains(s, bare) {
			s = append(s, bare)
		}
	}
	if len(s) > maxSegment {
		return nil, fmt.Errorf("%d tags; write %d at most", len(s), maxSegment)
	}
	return s, nil
}

// All tells whether the segment holds everybody.
func (s Segment) All() bool { return len(s) == 0 || len(s) == 1 && s[0] == Everyone }

// Or is the segment, or where it is empty another.
func (s Segment) Or(other Segment) Segment {
	if len(s) == 0 {
		return other
	}
	return s
}

// Tags are those of which a subscriber needs one, none where none is needed,
// and those that they must not have.
func (s Segment) Tags() (anyOf, noneOf []string) {
	if s.All() {
		return nil, nil
	}
	for _, t := range s {
		if bare, not := strings.CutPrefix(t, segmentNot); not {
			noneOf = append(noneOf, bare)
		} else {
			anyOf = append(anyOf, t)
		}
	}
	return anyOf, noneOf
}

// Same tells whether two segments name the same tags.
func (s Segment) Same(other Segment) bool { return slices.Equal(s.keys(), other.keys()) }

// keys are the tags in one spelling and order.
func (s Segment) keys() []string {
	anyOf, noneOf := s.Tags()
	var list []string
	for _, t := range anyOf {
		list = append(list, TagKey(t))
	}
	for _, t := range noneOf {
		list = append(list, segmentNot+TagKey(t))
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// String names the tags: "members, !london"; it is empty for everybody.
func (s Segment) String() string {
	if s.All() {
		return ""
	}
	return strings.Join(s, ", ")
}

// TagKey is the same for all spellings of a tag.
func TagKey(tag string) string {
	if slug := tagSlug(tag); slug != "" {
		return slug
	}
	return strings.ToLower(strings.Join(strings.Fields(tag), " "))
}

// The reasons why somebody who is active does not get an issue.
const (
	LeftSegment = "segment" // it is for others
	LeftMonthly = "monthly" // they want a digest of the month
	LeftPaused  = "paused"
	LeftWants   = "wants" // they want other tags
)

// LeftOut counts those who are active and do not get an issue, by the first
// reason that holds.
type LeftOut map[string]int

// Sum is how many they are.
func (l LeftOut) Sum() (n int) {
	for _, m := range l {
		n += m
	}
	return n
}

// Circle says for whom an issue is.
type Circle struct {
	To Segment
	// Topics are the tags of its threads: who wants only some tags gets it where
	// one of them is among these.
	Topics []string
	// Monthly is set for a digest of a month, which goes to those who want that,
	// and only to them.
	Monthly bool
}
