package newsletter

import "errors"

// ErrNotFound says that what was asked for is not there.
var ErrNotFound = errors.New("not found")
