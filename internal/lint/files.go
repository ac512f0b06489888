package lint

import (
	"bufio"
	"bytes"
	"regexp"
	"strings"
)

// maxLines is the length at which a file that is no test holds more than one
// concept, as a rule.
const maxLines = 450

// leftovers are the marks of unfinished work. They are put together here so
// that this file does not carry them.
var leftovers = regexp.MustCompile(`\b(` + strings.Join([]string{"TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK"}, "|") + `)\b`)

func checkFiles(t *tree, say report) {
	for _, f := range t.files {
		if n := countLines(t.texts[f.path]); !f.isTest && n > maxLines {
			say(f.path, maxLines+1, "%d lines, more than %d: split it by concept", n, maxLines)
		}
	}
	for _, path := range t.textPaths() {
		line := 0
		s := bufio.NewScanner(bytes.NewReader(t.texts[path]))
		s.Buffer(nil, 1<<20)
		for s.Scan() {
			line++
			if word := leftovers.Find(s.Bytes()); word != nil {
				say(path, line, "%s: do it, or file an issue", word)
			}
		}
		if s.Err() != nil {
			say(path, line+1, "line too long to read")
		}
	}
}
