package replica

import (
	"fmt"
	"hash/maphash"
	"maps"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// truth is what a key was from one position on.
type truth struct {
	from, created uint64
	value         string
	present       bool
}

// history is the dictionary as it should be, at each position it ever had.
type history map[Key][]truth

func (h history) at(k Key, p uint64) (t truth) {
	for _, x := range h[k] {
		if x.from <= p {
			t = x
		}
	}
	return t
}

func (h history) len(dict, p uint64) (n int) {
	for k := range h {
		if k.Dict == dict && h.at(k, p).present {
			n++
		}
	}
	return n
}

func (h history) set(k Key, t truth) {
	if l := h[k]; len(l) > 0 && l[len(l)-1].from == t.from {
		l[len(l)-1] = t
		return
	}
	h[k] = append(h[k], t)
}

func (h history) put(k Key, revision uint64, value string) {
	created := revision
	if old := h.at(k, revision); old.present {
		created = old.created
	}
	h.set(k, truth{revision, created, value, true})
}

func (h history) delete(k Key, revision uint64) { h.set(k, truth{from: revision}) }

func (h history) clear(dict, revision uint64) {
	for k := range maps.Keys(h) {
		if k.Dict == dict && h.at(k, revision).present {
			h.delete(k, revision)
		}
	}
}

// layers is a base made of what was true at one position.
type layers struct {
	position uint64
	entries  map[Key]truth
}

func (h history) layers(p uint64) *layers {
	l := &layers{p, map[Key]truth{}}
	for k := range h {
		if t := h.at(k, p); t.present {
			l.entries[k] = t
		}
	}
	return l
}

func (l *layers) Position() uint64 { return l.position }

func (l *layers) Find(k Key) (*Version, error) {
	t, ok := l.entries[k]
	if !ok {
		return nil, nil
	}
	return Encoded(t.from, t.value).From(t.created), nil
}

func (l *layers) Live(dict uint64) (n int, err error) {
	for k := range l.entries {
		if k.Dict == dict {
			n++
		}
	}
	return n, nil
}

// seeded returns a source of randomness that is said in the log and can be had
// again by ULTRADICT_SEED.
func seeded(t testing.TB) *rand.Rand {
	t.Helper()
	seed := new(maphash.Hash).Sum64()
	if s := os.Getenv("ULTRADICT_SEED"); s != "" {
		n, err := strconv.ParseUint(s, 10, 64)
		require.NoError(t, err)
		seed = n
	}
	t.Logf("ULTRADICT_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

func key(n int) Key { return Key{Str: fmt.Sprint("key", n)} }
