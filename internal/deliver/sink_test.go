package deliver

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// sink is a fast SMTP server in a process of its own, so that what it costs is
// not counted as the sender's. It takes everything and counts it.
type sink struct {
	delay      time.Duration // between a command and its answer
	pipelining bool          // offered

	mu       sync.Mutex
	messages int
	copies   map[string]int
}

// sinkVariable holds the settings of a sink in its process's environment.
const sinkVariable = "THREADMILL_TEST_SINK"

// TestSinkProcess is the sink's process, and no test.
func TestSinkProcess(t *testing.T) {
	settings, is := os.LookupEnv(sinkVariable)
	if !is {
		t.Skip("it is started by the benchmarks")
	}
	s := &sink{copies: map[string]int{}}
	if _, err := fmt.Sscan(settings, &s.delay, &s.pipelining); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println(l.Addr().(*net.TCPAddr).Port)
	var served sync.WaitGroup
	served.Go(func() {
		for conn, err := l.Accept(); err == nil; conn, err = l.Accept() {
			served.Go(func() { s.serve(conn) })
		}
	})
	_, _ = io.Copy(io.Discard, os.Stdin) // until the benchmark is done
	_ = l.Close()
	served.Wait()
	fmt.Println(s.messages, len(s.copies))
}

// startSink starts a sink. stop ends it and tells what it took.
func startSink(b *testing.B, delay time.Duration, pipelining bool) (port int, stop func() (messages, recipients int)) {
	b.Helper()
	c := exec.CommandContext(b.Context(), os.Args[0], "-test.run=^TestSinkProcess$")
	c.Env = append(os.Environ(), fmt.Sprintf("%s=%d %v", sinkVariable, delay, pipelining))
	c.Stderr = os.Stderr
	in, err := c.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := c.Start(); err != nil {
		b.Fatal(err)
	}
	lines := bufio.NewReader(out)
	if _, err := fmt.Fscanln(lines, &port); err != nil {
		b.Fatal(err)
	}
	return port, func() (messages, recipients int) {
		_ = in.Close()
		if _, err := fmt.Fscanln(lines, &messages, &recipients); err != nil {
			b.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, lines)
		if err := c.Wait(); err != nil {
			b.Fatal(err)
		}
		return messages, recipients
	}
}

func (s *sink) count(to string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.messages++
	s.copies[to]++
}

// serve takes what one client brings. Answers go out when there is nothing
// more to read, or after the delay.
func (s *sink) serve(conn net.Conn) {
	defer conn.Close()
	w := answers{out: bufio.NewWriterSize(conn, 4096), delay: s.delay}
	defer w.start()()
	r := bufio.NewReaderSize(conn, 64<<10)
	w.say("220 sink\r\n", true)
	to := ""
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return
		}
		answer := "250 2.0.0 fine\r\n"
		switch verb := strings.ToUpper(string(line[:min(4, len(line))])); verb {
		case "EHLO":
			answer = "250-sink\r\n250-8BITMIME\r\n250 ENHANCEDSTATUSCODES\r\n"
			if s.pipelining {
				answer = "250-sink\r\n250-8BITMIME\r\n250-PIPELINING\r\n250 ENHANCEDSTATUSCODES\r\n"
			}
		case "RCPT":
			_, rest, _ := bytes.Cut(line, []byte("<"))
			address, _, _ := bytes.Cut(rest, []byte(">"))
			to = string(address)
		case "DATA":
			w.say("354 go on\r\n", r.Buffered() == 0)
			if skipContent(r) != nil {
				return
			}
			s.count(to)
		case "QUIT":
			w.say("221 bye\r\n", true)
			return
		}
		w.say(answer, r.Buffered() == 0)
	}
}

// skipContent reads to the end of a message.
func skipContent(r *bufio.Reader) error {
	end := []byte("\r\n.\r\n")
	for {
		if _, err := r.Peek(len(end)); err != nil {
			return err
		}
		b, err := r.Peek(r.Buffered())
		if err != nil {
			return err
		}
		if i := bytes.Index(b, end); i >= 0 {
			_, err = r.Discard(i + len(end))
			return err
		}
		if _, err := r.Discard(len(b) - len(end) + 1); err != nil { // the end may begin in the rest
			return err
		}
	}
}

// answers are on their way to a client. Those to commands that came together
// share their delay.
type answers struct {
	out   *bufio.Writer
	delay time.Duration
	late  chan lateAnswer
}

type lateAnswer struct {
	at   time.Time
	text string
}

// start lets late answers leave, until stop.
func (a *answers) start() (stop func()) {
	if a.delay == 0 {
		return func() { _ = a.out.Flush() }
	}
	a.late = make(chan lateAnswer, 1024)
	var sent sync.WaitGroup
	sent.Go(func() {
		for l := range a.late {
			if d := time.Until(l.at); d > 0 {
				_ = a.out.Flush()
				time.Sleep(d)
			}
			_, _ = a.out.WriteString(l.text)
			if len(a.late) == 0 {
				_ = a.out.Flush()
			}
		}
	})
	return func() { close(a.late); sent.Wait() }
}

// say answers; a broken connection shows at the next read.
func (a *answers) say(text string, flush bool) {
	if a.late != nil {
		a.late <- lateAnswer{time.Now().Add(a.delay), text}
		return
	}
	_, _ = a.out.WriteString(text)
	if flush {
		_ = a.out.Flush()
	}
}

// peakMemory is the most memory that this process held since forgetPeak, in
// bytes, where the system tells.
func peakMemory() (int64, error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "VmHWM:" {
			kilobytes, err := strconv.ParseInt(f[1], 10, 64)
			return kilobytes << 10, err
		}
	}
	return 0, errors.ErrUnsupported
}

// forgetPeak begins to watch anew (proc(5), clear_refs).
func forgetPeak() error { return os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) }
