package ultradict_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ultradict/go/ultradict"
)

// Where things stand in a control segment; docs/FORMAT.md.
const (
	atIdentity = 64
	atLock     = 1024
	atLease    = 1152
	atPeers    = 1344
	atStream   = 132480
	atList     = 149056
)

var ne = binary.NativeEndian

// broken checks a dictionary and returns the rules that its problems break.
func broken(t *testing.T, dir string) (rules []string, r ultradict.Report) {
	t.Helper()
	r, err := ultradict.Check("test", ultradict.WithDir(dir))
	require.NoError(t, err)
	require.Equal(t, r.Complete && len(r.Problems) == 0, r.OK())
	for _, p := range r.Problems {
		var damaged *ultradict.CorruptError
		require.ErrorIs(t, p, ultradict.ErrCorrupt)
		require.True(t, errors.As(error(p), &damaged))
		require.NotEmpty(t, p.Segment)
		require.NotEmpty(t, p.Text)
		require.Contains(t, r.String(), p.Text)
		rules = append(rules, p.Rule)
	}
	return rules, r
}

// Each kind of damage is found, called by its rule, and in the right segment.
func TestCheckFindsDamage(t *testing.T) {
	dir := memoryDir(t)
	files := sound(t, dir)
	requireHealthy(t, dir)
	control := files["control"]
	chunk := uint64(ne.Uint32(control[atIdentity+4:]))
	head, tail := ne.Uint64(control[atStream:]), ne.Uint64(control[atStream+64:])
	layer, newest := listed(control)
	stream := "stream-00000000-00000001"
	body := "" // the youngest: the value in force
	for name := range files {
		if strings.HasPrefix(name, "body") {
			body = max(body, name)
		}
	}
	require.NotEmpty(t, body)
	slot := atStream + 192 + 16*int(tail/chunk%1024)
	next := atStream + 192 + 16*int((tail/chunk+1)%1024)
	list := atList + 64 + 1600*int(ne.Uint64(control[atList:])>>16&1)
	// A record in the chunk of tail, which begins with one.
	records, lies := stream, int(ne.Uint64(control[slot+8:])&0xff)*int(chunk)+64
	if segment := ne.Uint64(control[slot+8:]); segment>>63 != 0 {
		records, lies = fileName("stream", segment&^(1<<63)), 64
	}

	set32 := func(at int, v uint32) func([]byte) { return func(b []byte) { ne.PutUint32(b[at:], v) } }
	set64 := func(at int, v uint64) func([]byte) { return func(b []byte) { ne.PutUint64(b[at:], v) } }
	flip := func(at int) func([]byte) { return func(b []byte) { b[at] ^= 0x55 } }
	for what, c := range map[string]struct {
		file   string
		damage func([]byte)
		rule   string
	}{
		"header":                  {"control", flip(30), "file"},
		"header of a layer":       {layer, flip(50), "file"},
		"header of a body":        {body, flip(50), "file"},
		"header of the ring":      {stream, flip(50), "file"},
		"another version":         {body, flip(8), "file"},
		"identity":                {"control", flip(atIdentity + 20), "identity"},
		"lock":                    {"control", set32(atLock, 99999), "lock"},
		"retriers' lock":          {"control", set32(atLock+64, 99999), "lock"},
		"lease":                   {"control", set32(atLease, 99999), "lock"},
		"merger's lease":          {"control", set32(atLease+16, 99999), "lock"},
		"flag":                    {"control", set32(atLease+64, 7), "lock"},
		"flag of what expires":    {"control", set32(atLease+88, 7), "lock"},
		"expirer's lease":         {"control", set32(atLease+96, 99999), "lock"},
		"unknown participant":     {"control", set32(atPeers+64+64*9, 99999), "participants"},
		"counter of ids":          {"control", set32(atPeers, 0), "file"},
		"a participant twice":     {"control", func(b []byte) { set32(atPeers+64+64*8, 1)(b); set32(atPeers+64+64*9, 1)(b) }, "participants"},
		"filled by nobody":        {"control", set32(atPeers+64+64*9+4, 99999), "participants"},
		"pin":                     {"control", set64(atPeers+64+64*9+40, head+8), "participants"},
		"head misaligned":         {"control", set64(atStream, head+1), "I2"},
		"head beyond the records": {"control", set64(atStream, head+64), "I1"},
		"head far away":           {"control", set64(atStream, head+1<<40), "I2"},
		"head below the layers":   {"control", set64(atStream, tail), "I2"},
		"tail within a chunk":     {"control", set64(atStream+64, tail+8), "I2"},
		"floor above head":        {"control", set64(atStream+72, head+8), "I2"},
		"floor above the layers":  {"control", func(b []byte) { set64(atStream, head+64)(b); set64(atStream+72, head+64)(b) }, "I2"},
		"chunk not in the table":  {"control", set64(slot, 0), "I1"},
		"memory of no file":       {"control", set64(slot+8, 1<<63|77<<32|5), "I1"},
		"memory used twice":       {"control", func(b []byte) { copy(b[next+8:next+16], b[slot+8:slot+16]) }, "I1"},
		"list's sequence":         {"control", flip(atList), "I5"},
		"list's checksum":         {"control", flip(list + 4), "I5"},
		"list's words":            {"control", flip(list + 64), "I5"},
		"record's length":         {records, flip(lies), "I1"},
		"record's check":          {records, flip(lies + 5), "I1"},
		"record's payload":        {records, flip(lies + 9), "I1"},
		"layer header":            {layer, flip(90), "layer"},
		"dictionary header":       {layer, flip(192 + 16), "layer"},
		"index":                   {layer, func(b []byte) { b[indexOf(b)+10] ^= 1 }, "layer"},
		"entry's head":            {layer, func(b []byte) { b[entriesOf(b)+16] ^= 1 }, "layer"},
		"entry's key":             {layer, func(b []byte) { b[entriesOf(b)+32] ^= 1 }, "layer"},
		"what precedes the index": {newest, func(b []byte) { b[indexOf(b)-1] ^= 1 }, "layer"},
		"value":                   {body, func(b []byte) { b[len(b)-3000] ^= 1 }, "body"},
		"its record":              {body, flip(66), "body"},
		"layer is missing":        {layer, nil, "I2"},
		"body is missing":         {body, nil, "I2"},
		"ring is missing":         {stream, nil, "file"},
		"control is missing":      {"control", nil, "file"},
	} {
		t.Run(what, func(t *testing.T) {
			var content []byte
			if c.damage != nil {
				content = bytes.Clone(files[c.file])
				c.damage(content)
			}
			put(t, dir, files, c.file, content)
			rules, r := broken(t, dir)
			require.Contains(t, rules, c.rule, "%v", r)
			if c.file != "control" && c.file != stream && c.file != records {
				require.True(t, slices.ContainsFunc(r.Problems, func(p ultradict.Problem) bool { return p.Segment == c.file }), "%v", r)
			}
			before := contents(t, dir)
			repaired, err := ultradict.Check("test", ultradict.WithDir(dir), ultradict.WithRepair())
			require.NoError(t, err)
			require.False(t, repaired.OK())
			require.Empty(t, repaired.Removed)
			require.Equal(t, before, contents(t, dir), "what is damaged is not touched")
		})
	}
	put(t, dir, files, "", nil)
	requireHealthy(t, dir)
}

// listed returns the files of the oldest and of the newest layer.
func listed(control []byte) (oldest, newest string) {
	slot := atList + 64 + 1600*int(ne.Uint64(control[atList:])>>16&1)
	name := func(i int) string {
		id := ne.Uint64(control[slot+64+64*i:])
		return fileName("layer", id)
	}
	return name(0), name(int(ne.Uint32(control[slot:])) - 1)
}

func fileName(kind string, id uint64) string {
	return fmt.Sprintf("%s-%08x-%08x", kind, id>>32, uint32(id))
}

func indexOf(layer []byte) int {
	le := binary.LittleEndian
	return int(192+le.Uint64(layer[120:])*48+le.Uint64(layer[128:])*8+63) &^ 63
}

func entriesOf(layer []byte) int {
	return indexOf(layer) + int(binary.LittleEndian.Uint64(layer[136:]))*64
}

// What does not belong to the files is told by where they are.
func TestCheckFindsStrangeFiles(t *testing.T) {
	dir := memoryDir(t)
	files := sound(t, dir)
	path := func(name string) string { return filepath.Join(dir, "test", name) }
	oldest, _ := listed(files["control"])
	for what, c := range map[string]struct {
		do   func() error
		rule string // "" for an orphan
	}{
		"mode":             {func() error { return os.Chmod(path(oldest), 0o640) }, "file"},
		"mode of control":  {func() error { return os.Chmod(path("control"), 0o400) }, "file"},
		"two names":        {func() error { return os.Link(path(oldest), path("layer-00000001-99999999")) }, "file"},
		"a directory":      {func() error { return os.Mkdir(path("body-00000001-99999999"), 0o700) }, "file"},
		"a link":           {func() error { return os.Symlink("control", path("body-00000001-99999999")) }, "file"},
		"nobody's":         {func() error { return os.WriteFile(path("body-0ffffff1-00000001"), files[oldest], 0o600) }, "file"},
		"another's":        {func() error { return os.WriteFile(path("layer-00000001-99999999"), files[oldest], 0o600) }, "file"},
		"truncated":        {func() error { return os.Truncate(path(oldest), int64(len(files[oldest])-1)) }, "file"},
		"unknown":          {func() error { return os.WriteFile(path("notes.txt"), []byte("hello"), 0o600) }, ""},
		"draft":            {func() error { return os.WriteFile(path(".layer-00000001-99999999"), []byte("draft"), 0o600) }, ""},
		"dotted directory": {func() error { return os.Mkdir(filepath.Join(dir, ".test."+strings.Repeat("ab", 16)), 0o700) }, ""},
	} {
		t.Run(what, func(t *testing.T) {
			put(t, dir, files, "", nil)
			require.NoError(t, c.do())
			rules, r := broken(t, dir)
			if c.rule != "" {
				require.Contains(t, rules, c.rule, "%v", r)
				return
			}
			require.Empty(t, rules, "%v", r)
			require.NotEmpty(t, r.Orphans)
			repaired := requireHealthy(t, dir, ultradict.WithRepair())
			if what == "unknown" {
				require.Len(t, repaired.Orphans, 1, "it is not ours to remove")
				return
			}
			require.Empty(t, repaired.Orphans, "%v", repaired)
			require.NotEmpty(t, repaired.Removed)
		})
	}
}

// A removal that was begun is no damage, and is finished by repairing.
func TestCheckFinishesARemoval(t *testing.T) {
	dir := memoryDir(t)
	files := sound(t, dir)
	ended := bytes.Clone(files["control"])
	ended[atStream+7] |= 0x80
	put(t, dir, files, "control", ended)
	rules, r := broken(t, dir)
	require.Empty(t, rules)
	require.True(t, r.OK())
	require.Len(t, r.Orphans, 1)
	r = requireHealthy(t, dir, ultradict.WithRepair())
	require.Empty(t, r.Orphans, "%v", r)
	require.Len(t, r.Removed, 1)
	requireNothingLeft(t, dir)
}

// Whatever stands in the files, a check ends, with a report or a proper error.
// Where it calls the files sound, what they hold is what was written.
func TestCheckOfNoise(t *testing.T) {
	rounds := 400
	if testing.Short() {
		rounds = 100
	}
	dir := memoryDir(t)
	files := sound(t, dir)
	names := slices.Sorted(maps.Keys(files))
	random := seeded(t)
	found := 0
	for round := range rounds {
		name := names[random.IntN(len(names))]
		if round%3 == 0 {
			name = "control"
		}
		content := bytes.Clone(files[name])
		from := random.IntN(len(content))
		if name == "control" && round%2 == 0 { // where the words are close to each other
			from = []int{atLock, atPeers, atStream, atList}[random.IntN(4)] + 8*random.IntN(40)
		}
		for i := from; i < min(len(content), from+1<<random.IntN(12)); i++ {
			content[i] = byte(random.Uint32())
		}
		put(t, dir, files, name, content)
		r, err := ultradict.Check("test", ultradict.WithDir(dir))
		if err != nil {
			require.ErrorIs(t, err, ultradict.ErrVersion, "round %d, %s from %d", round, name, from)
			continue
		}
		if len(r.Problems) > 0 {
			found++
			continue
		}
		if r.OK() && name != "control" && strings.Contains(name, "layer") {
			_, wrong := useDamaged(dir, typed)
			require.NoError(t, wrong)
		}
	}
	require.Greater(t, found, rounds/4)
}
