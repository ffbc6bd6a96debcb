package mail

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
)

// answer reads one reply (RFC 5321, section 4.2), which has to begin with the
// digits of expect, such as 2 or 354. A 4xx or 5xx is a *Refusal; anything else
// that was not expected is a *Fault, since then the two sides disagree about
// where they are. What is expected costs no memory.
func (c *smtpConn) answer(stage Stage, expect int) error {
	code, last, text, err := c.replyLine(nil)
	for err == nil && !last {
		var more int
		if more, last, text, err = c.replyLine(text); err == nil && more != code {
			err = fmt.Errorf("the lines of an answer begin with %d and with %d", code, more)
		}
	}
	if err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return &Fault{stage, err}
	}
	switch {
	case code == expect || code/100 == expect:
		return nil
	case code/100 == 4 || code/100 == 5:
		return newRefusal(stage, code, string(text))
	}
	return &Fault{stage, fmt.Errorf("an answer that does not fit: %d %s", code, oneLine(strings.ToValidUTF8(string(text), "?")))}
}

// replyLine reads a line of a reply and adds its words to text, unless the
// reply so far is one that needs none.
func (c *smtpConn) replyLine(text []byte) (code int, last bool, _ []byte, err error) {
	line, err := c.text.R.ReadSlice('\n')
	if err != nil {
		return 0, false, nil, err
	}
	line = bytes.TrimRight(line, "\r\n")
	if len(line) < 3 || len(line) > 3 && line[3] != ' ' && line[3] != '-' {
		return 0, false, nil, fmt.Errorf("no answer of SMTP: %q", clip(line))
	}
	for _, digit := range line[:3] {
		if digit < '0' || digit > '9' {
			return 0, false, nil, fmt.Errorf("no answer of SMTP: %q", clip(line))
		}
		code = 10*code + int(digit-'0')
	}
	if code < 200 || code > 599 {
		return 0, false, nil, fmt.Errorf("no code of SMTP: %q", clip(line))
	}
	if code/100 >= 4 && len(line) > 4 {
		text = append(append(text, line[4:]...), '\n')
	}
	return code, len(line) == 3 || line[3] == ' ', text, nil
}

// clip shortens what is quoted in an error.
func clip(line []byte) []byte { return line[:min(len(line), 100)] }
