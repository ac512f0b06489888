// Package lint holds the rules of this source tree that the compiler cannot
// know, and the test that enforces them: `go test ./internal/lint`.
//
//	imports   packages import downwards only; the table is in imports.go
//	unsafe    package unsafe in *_unsafe.go files and tests, linkname in one place
//	format    what stands in shared memory has explicit values, never iota
//	docs      packages and exported names are documented, examples are run
//	files     short files, nothing left to be done later
//	modules   the library's dependencies, and no module outside the workspace
//	steps     every step of the protocol has a failpoint before and after it
//
// It reads the source text and nothing else: no build, no network, no tool.
// A file is checked whatever its build constraints are, so what is said about
// one platform is said about all.
//
// [Check] runs over any [io/fs.FS], so that each rule is itself tested on small
// trees in which it has something to find.
//
// The rules look at syntax. They keep honest code tidy; they do not stop
// somebody who means to get around them.
package lint
