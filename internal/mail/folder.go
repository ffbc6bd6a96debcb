package mail

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// Folder writes each message as a file instead of sending it.
type Folder struct {
	dir string
}

// NewFolder returns a transport to dir, which is made when it is dialled.
func NewFolder(dir string) *Folder { return &Folder{dir} }

// String is the folder's path.
func (f *Folder) String() string { return f.dir }

// Dial makes the folder.
func (f *Folder) Dial(ctx context.Context) (Conn, error) {
	if ctx.Err() != nil {
		return nil, &Fault{StageConnect, context.Cause(ctx)}
	}
	if err := os.MkdirAll(f.dir, 0o777); err != nil {
		return nil, &Fault{StageConnect, fmt.Errorf("make the mail folder: %w", err)}
	}
	return &folderConn{dir: f.dir}, nil
}

type folderConn struct {
	dir   string
	begun bool
}

func (*folderConn) Usable() bool { return true }
func (*folderConn) Close() error { return nil }

func (c *folderConn) Begin(ctx context.Context, _ Envelope) error {
	if ctx.Err() != nil {
		return &Fault{StageMail, context.Cause(ctx)}
	}
	c.begun = true
	return nil
}

// Send writes the message to a file named after its Message-ID, so that a
// second copy replaces the first. The file is whole and durable when sent is
// nil. There is no round trip to save.
func (c *folderConn) Send(ctx context.Context, content Content, _ *Envelope) (sent, begun error) {
	if ctx.Err() != nil {
		return &Fault{StageData, context.Cause(ctx)}, ErrNotBegun
	}
	if !c.begun {
		return &Fault{StageData, errNoEnvelope}, ErrNotBegun
	}
	c.begun = false
	data := content.Append(nil, false)
	if err := c.write(fileName(data), data); err != nil {
		return &Fault{StageData, fmt.Errorf("write a mail: %w", err)}, ErrNotBegun
	}
	return nil, ErrNotBegun
}

func (c *folderConn) write(name string, data []byte) error {
	f, err := os.CreateTemp(c.dir, ".mail-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // after the rename there is nothing to remove
	_, err = f.Write(data)
	if err == nil {
		err = f.Chmod(0o644)
	}
	if err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(f.Name(), filepath.Join(c.dir, name))
	}
	if err != nil {
		return err
	}
	return syncDir(c.dir)
}

// syncDir makes the names in dir durable. Windows syncs no folders; its file
// system keeps a journal of names.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// fileName is the Message-ID where it is fit for a file name. A hash stands
// for what is lost where it is not, so that two ids never share a file.
func fileName(data []byte) string {
	const limit = 150
	id := messageID(data)
	name := strings.TrimLeft(strings.Map(func(r rune) rune {
		if r == '@' || r == '+' || r < 0x80 && inToken(byte(r)) {
			return r
		}
		return '_'
	}, id), ".")
	if name != id || id == "" || len(id) > limit {
		source := []byte(id)
		if id == "" {
			source = data
		}
		sum := sha256.Sum256(source)
		name = name[:min(len(name), limit)] + "-" + hex.EncodeToString(sum[:8])
	}
	return name + ".eml"
}

// messageID reads the Message-ID of a message, without its brackets.
func messageID(data []byte) string {
	head, _, _ := bytes.Cut(data, []byte("\r\n\r\n"))
	for line := range bytes.Lines(head) {
		name, value, ok := bytes.Cut(line, []byte(":"))
		if ok && strings.EqualFold(string(name), "Message-ID") {
			return string(bytes.Trim(value, "<> \t\r\n"))
		}
	}
	return ""
}
