package thread

import "threadmill/internal/newsletter"

// Parse reads a thread from text that was kept. What was wrong with it was
// told when it was a file.
func (r Reader) Parse(file, source string) newsletter.Thread {
	t, _ := Parse(file, []byte(source), r.Zone)
	return t
}
