package shell

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"
)

const (
	// outputLimit is how many bytes of a command's output are kept.
	outputLimit = 4 << 10
	// leftBehind is how long is waited for the output of a command that has
	// ended: what it started in the background may hold it open for ever.
	leftBehind = time.Second
)

// Command is one for sh.
type Command struct {
	Line    string
	Dir     string        // in which it runs
	Timeout time.Duration // after which it is killed, with what it started
}

// Run runs the command with about, as one line of JSON, on its stdin, and
// returns the beginning of what it printed on stdout and stderr. The error tells
// that it did not end with 0 within its time, or that ctx was done first, which
// [context.Cause] of ctx tells too. A command that ends while a process in the
// background still holds its output is one that ended.
func (c Command) Run(ctx context.Context, about any) (output string, err error) {
	stdin, err := json.Marshal(about)
	if err != nil {
		return "", fmt.Errorf("encode what a command reads: %w", err)
	}
	timed, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	var out bounded
	cmd := exec.CommandContext(timed, "sh", "-c", c.Line)
	cmd.Dir = c.Dir
	cmd.Stdin = bytes.NewReader(append(stdin, '\n'))
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.WaitDelay = leftBehind
	alone(cmd)
	err = cmd.Run()
	switch {
	case errors.Is(err, exec.ErrWaitDelay) && timed.Err() == nil:
		err = nil
	case ctx.Err() != nil:
		err = errors.Join(err, ctx.Err())
	case timed.Err() != nil:
		err = fmt.Errorf("it took longer than %s and was killed: %w", c.Timeout, timed.Err())
	}
	return out.String(), err
}

// bounded keeps the beginning of what is written to it.
type bounded struct {
	kept bytes.Buffer // not embedded: io.Copy would find its ReadFrom
	cut  bool
}

func (b *bounded) Write(p []byte) (int, error) {
	room := max(outputLimit-b.kept.Len(), 0)
	if len(p) > room {
		b.cut = true
		_, _ = b.kept.Write(p[:room]) // never fails
		return len(p), nil
	}
	return b.kept.Write(p)
}

func (b *bounded) String() string {
	text := strings.TrimSpace(strings.ToValidUTF8(b.kept.String(), "\uFFFD"))
	if b.cut {
		text += " …"
	}
	return text
}
