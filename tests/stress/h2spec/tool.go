//go:build tools

// Pins h2spec, so that `go mod tidy` keeps it.
package tools

import _ "github.com/summerwind/h2spec"
