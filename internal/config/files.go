package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"

	"github.com/joho/godotenv"
)

// maxFile bounds the config and .env, maxSecret a file with a secret, in bytes.
const (
	maxFile   = 1 << 20
	maxSecret = 64 << 10
)

// othersMode are the permissions of everybody but the owner of a file, and
// groupMode those of its group.
const (
	othersMode fs.FileMode = 0o077
	groupMode  fs.FileMode = 0o070
)

// OthersRead tells by the permissions of a file whether others than its owner
// can read it. Those of the group tell nothing about a credential of systemd:
// it is given to the service's user by an ACL, whose mask stands in their place
// (systemd.exec(5), Credentials; acl(5)). On Windows none tell anything.
func (c *Config) OthersRead(path string, mode fs.FileMode) bool {
	others := othersMode
	if c.lookup != nil { // nil where no file was read
		if folder, ok := c.lookup("CREDENTIALS_DIRECTORY"); ok && folder != "" && within(path, folder) {
			others &^= groupMode
		}
	}
	return runtime.GOOS != "windows" && mode&others != 0
}

// readFile reads a file of at most limit bytes and returns its permissions. On
// Windows these tell nothing: who may read a file there stands in its ACL, which
// it takes from its folder.
func readFile(path string, limit int64) ([]byte, fs.FileMode, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	stat, err := f.Stat()
	if err != nil {
		return nil, 0, err
	}
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("it has more than %d bytes", limit)
	}
	mode := stat.Mode().Perm()
	if runtime.GOOS == "windows" {
		mode &^= othersMode
	}
	return data, mode, err
}

// reason is a file error without the path, which the problem names itself.
func reason(err error) error {
	if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
		return pathErr.Err
	}
	return err
}

// dotenvFile is what .env holds.
type dotenvFile struct {
	values   map[string]string
	warnings []string
}

// readDotenv reads a file of NAME=value lines; one that is not there is empty.
func readDotenv(path string) (dotenvFile, error) {
	data, mode, err := readFile(path, maxFile)
	if errors.Is(err, fs.ErrNotExist) {
		return dotenvFile{}, nil
	}
	if err != nil {
		return dotenvFile{}, &InvalidError{Problems: []Problem{{File: path, Text: "read: " + reason(err).Error()}}, cause: err}
	}
	values, err := godotenv.UnmarshalBytes(data)
	if err != nil {
		// The error of godotenv quotes the rest of the file, secrets and all.
		return dotenvFile{}, &InvalidError{Problems: []Problem{{File: path, Text: "cannot be read; write a line NAME='value' for each variable"}}}
	}
	file := dotenvFile{values: values}
	if mode&othersMode != 0 {
		file.warnings = []string{path + ": can be read by other users; run chmod 600 " + path}
	}
	return file, nil
}
