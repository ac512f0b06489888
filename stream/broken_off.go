//go:build !ultradict_broken_commit

package stream

// headFirst is false in every build but one, see broken_on.go: the compiler
// leaves out what depends on it.
const headFirst = false

func linger() {}
