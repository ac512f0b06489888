package shm

import (
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"
)

// BootID returns the identity of this run of the machine. A dictionary whose
// control segment carries another one survived a reboot on a disk, which is
// beyond its promises. Where the system has no such number the error matches
// [errors.ErrUnsupported].
func BootID() ([16]byte, error) {
	if bootIDPath == "" {
		return [16]byte{}, fmt.Errorf("read boot id: %w", errors.ErrUnsupported)
	}
	b, err := os.ReadFile(bootIDPath)
	if err != nil {
		return [16]byte{}, fmt.Errorf("read boot id: %w", err)
	}
	return parseUUID(string(b))
}

func parseUUID(s string) (id [16]byte, err error) {
	b, err := hex.DecodeString(strings.ReplaceAll(strings.TrimSpace(s), "-", ""))
	if err != nil || len(b) != len(id) {
		return id, fmt.Errorf("read boot id: %.64q is not a UUID", s)
	}
	return [16]byte(b), nil
}
