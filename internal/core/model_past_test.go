package core

import "github.com/ultradict/go/internal/record"

// past is what a key was from one position on.
type past struct {
	from    uint64 // revision
	created uint64
	value   string
	present bool
}

// model is the dictionary as it should be, at each position it ever had.
type model map[string][]past

func (m model) at(key string, position uint64) (p past) {
	for _, x := range m[key] {
		if x.from <= position {
			p = x
		}
	}
	return p
}

func (m model) now(key string) past {
	if h := m[key]; len(h) > 0 {
		return h[len(h)-1]
	}
	return past{}
}

// len is the number of keys at a position.
func (m model) len(position uint64) (n int) {
	for key := range m {
		if m.at(key, position).present {
			n++
		}
	}
	return n
}

// commit does to the model what a record does to the dictionary.
func (m model) commit(ops []record.Op, revision uint64) {
	set := func(key string, p past) {
		if h := m[key]; len(h) > 0 && h[len(h)-1].from == revision {
			h[len(h)-1] = p
			return
		}
		m[key] = append(m[key], p)
	}
	for _, op := range ops {
		key := string(op.Key)
		switch op.Kind {
		case record.Clear:
			for k := range m {
				if m.now(k).present {
					set(k, past{from: revision})
				}
			}
		case record.Delete:
			if m.now(key).present {
				set(key, past{from: revision})
			}
		default:
			created := revision
			if old := m.now(key); old.present {
				created = old.created
			}
			set(key, past{revision, created, string(op.Value), true})
		}
	}
}
