//go:build !linux

package main

import "errors"

// Nobody sleeps by futex elsewhere.
func wakes(r *run) { r.must(errors.ErrUnsupported) }

func futexPongRole(string, []string) error { return errors.ErrUnsupported }
func watchPongRole(string, []string) error { return errors.ErrUnsupported }
