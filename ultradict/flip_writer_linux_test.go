package ultradict_test

import (
	"fmt"
	"maps"
	"strings"

	"github.com/ultradict/go/ultradict"
)

// writer makes a flip under a writer, which goes on as if nothing had happened.
// What it was told is stored must be found by it and by who comes later, or
// they must be told what is wrong; what it was told is not stored must not be.
func (f *flipper) writer(fl flip) error {
	if err := f.restore(); err != nil {
		return err
	}
	d, err := f.open()
	if err != nil {
		return fmt.Errorf("open before the flip: %w", err)
	}
	if _, err := d.Len(); err != nil {
		return err
	}
	back, err := f.flip(fl)
	if err != nil {
		return err
	}
	state, outcome, detail := write(d, f.history[len(f.history)-1])
	f.count(fl, "writer", outcome, detail)
	outcome, detail = lookAt(d, []map[string]any{state})
	f.count(fl, "writer, reading", outcome, detail)
	who := func(name string) {
		comer, err := f.open()
		if err != nil {
			f.count(fl, name, kindOf(err), err.Error())
			return
		}
		outcome, detail := lookAt(comer, append(f.history, state))
		f.count(fl, name, outcome, detail)
		_ = comer.Close()
	}
	who("newcomer")
	_ = d.Close()
	if err := back(); err != nil {
		return err
	}
	return nil
}

// write changes everything once, and enough of it that the stream goes round,
// and returns the state that must come of it. After two errors it gives up.
func write(d *ultradict.Dict, before map[string]any) (state map[string]any, outcome, detail string) {
	state = maps.Clone(before)
	outcome = flipRight
	failures := 0
	note := func(err error, change func()) {
		if err == nil {
			change()
			return
		}
		if failures++; failures == 1 || kindOf(err) == flipUntyped {
			outcome, detail = kindOf(err), err.Error()
		}
	}
	set := func(k string, v any) {
		if failures < 2 {
			note(d.Set(k, v), func() { state[k] = v })
		}
	}
	set("k6", "written")
	if failures < 2 {
		_, err := d.Delete("k7")
		note(err, func() { delete(state, "k7") })
	}
	set("large", strings.Repeat("L", 600))
	for i := range 70 { // 8 KiB, twice the stream
		set([]string{"k8", "k9"}[i%2], fmt.Sprint(i, strings.Repeat("w", 100)))
	}
	return state, outcome, detail
}
