package main

import (
	"fmt"
	"strconv"
	"strings"
)

// text is a value as it is stored: its number and filling that makes it as large
// as it should be.
func text(value uint64, size int) string {
	head := fmt.Sprintf("%d:%d:", value, size)
	return head + strings.Repeat(string(filling(value)), size)
}

func filling(value uint64) byte { return 'a' + byte(value%26) }

// parse returns the number of a value that is whole.
func parse(s string) (uint64, error) {
	number, rest, ok := strings.Cut(s, ":")
	length, filler, ok2 := strings.Cut(rest, ":")
	if !ok || !ok2 {
		return 0, fmt.Errorf("value %.40q is not what anybody wrote", s)
	}
	value, err := strconv.ParseUint(number, 10, 64)
	size, err2 := strconv.Atoi(length)
	if err != nil || err2 != nil || size != len(filler) || strings.Count(filler, string(filling(value))) != size {
		return 0, fmt.Errorf("value %.40q of %d bytes is not what anybody wrote", s, len(s))
	}
	return value, nil
}
