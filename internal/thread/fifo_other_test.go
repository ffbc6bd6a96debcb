//go:build !unix

package thread

import "errors"

func mkfifo(string) error { return errors.ErrUnsupported }
