package core

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/ultradict/go/internal/errs"
	"github.com/ultradict/go/internal/replica"
	"github.com/ultradict/go/internal/shm"
)

// Info is what List tells of a dictionary.
type Info struct {
	Name         string
	Instance     string
	Entries      int // as of the newest layer and the records behind it
	Bytes        int64
	Participants int
	Created      time.Time
	Err          error // why the rest is not known
}

// List describes the dictionaries of a root directory.
func List(cfg Config) ([]Info, error) {
	cfg.fill()
	root, err := cfg.root(false)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list dictionaries: %w", err)
	}
	defer root.Close()
	names, err := root.List()
	if err != nil {
		return nil, fmt.Errorf("list dictionaries: %w", err)
	}
	infos := make([]Info, 0, len(names))
	for _, name := range names {
		if strings.HasPrefix(name, ".") {
			continue
		}
		info, err := describe(root, name, cfg)
		if gone(err) {
			continue
		}
		info.Err = err
		infos = append(infos, info)
	}
	return infos, nil
}

func describe(root *shm.Root, name string, cfg Config) (Info, error) {
	info := Info{Name: name}
	cfg.ReadOnly, cfg.Access = true, Attach
	kind, codec, err := kinds(root, name)
	if err != nil {
		return info, err
	}
	cfg.KeyKind, cfg.Codec, cfg.Values = kind, codec, undecoded{}
	d, err := attach(root, name, cfg)
	if err != nil {
		return info, err
	}
	defer d.Close()
	info.Instance, info.Created = d.segment.Instance().String(), d.created
	for _, p := range d.peer.All() {
		if p.Alive {
			info.Participants++
		}
	}
	if info.Bytes, err = d.dir.Bytes(); err != nil {
		return info, err
	}
	info.Entries, err = d.Len(0)
	return info, err
}

// kinds reads how a dictionary's keys and values are encoded.
func kinds(root *shm.Root, name string) (keys, values string, err error) {
	dir, err := root.Open(name)
	if err != nil {
		return "", "", err
	}
	defer dir.Close()
	seg, err := dir.Open(shm.Name{Kind: shm.Control}, shm.ID{}, false, false)
	if err != nil {
		return "", "", err
	}
	defer seg.Close()
	if int64(len(seg.Bytes())) < controlSize {
		return "", "", &errs.CorruptError{Segment: "control", Offset: int64(len(seg.Bytes())), Reason: "file is too short"}
	}
	id, err := identify(seg.Bytes())
	return text(id.keyKind[:]), text(id.codec[:]), err
}

// undecoded is for handles that never look at values.
type undecoded struct{}

func (undecoded) Version(revision uint64, raw []byte) *replica.Version {
	return replica.Encoded(revision, string(raw))
}
func (undecoded) Decoded(v *replica.Version, raw string, as replica.Form) (*replica.Version, error) {
	return v.With(raw, as), nil
}
