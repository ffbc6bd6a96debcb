//go:build !unix

package web_test

import "errors"

func mkfifo(string) error { return errors.ErrUnsupported }
