package main

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// Without a terminal a line every ten seconds tells how far the sending is.
func TestProgressLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		p := &publication{stderr: &out}
		start := time.Now()
		stop := p.watch(t.Context(), func(context.Context) (sending, error) {
			done := int64(time.Since(start)/time.Second) * 5
			return sending{done: done, failed: 2, left: 1000 - done}, nil
		})
		time.Sleep(25 * time.Second)
		stop()
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		if len(lines) != 2 || !strings.HasSuffix(lines[0], "msg=sending done=50 rate=5 left=950 failed=2") ||
			!strings.HasSuffix(lines[1], "msg=sending done=100 rate=5 left=900 failed=2") {
			t.Errorf("lines:\n%s", out.String())
		}
	})
}
