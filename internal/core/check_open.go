package core

import (
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/ultradict/go/internal/errs"
	"github.com/ultradict/go/internal/peers"
	"github.com/ultradict/go/internal/shm"
	"github.com/ultradict/go/stream"
)

// open opens as much of a dictionary as makes sense, without joining. Damage
// that leaves nothing else to read is noted, and then there is no stream.
func (c *checkup) open(root *shm.Root, name string, cfg Config) error {
	if err := c.openControl(root, name, cfg); err != nil || c.d.segment == nil {
		return err
	}
	d := c.d
	c.Instance = d.segment.Instance().String()
	mem := d.segment.Bytes()
	if int64(len(mem)) != controlSize {
		c.found(ruleFile, controlName, int64(len(mem)), "it has %d bytes, not %d", len(mem), controlSize)
	}
	var ok bool
	if d.control, ok = shm.At[control](mem, 0); !ok || int64(len(mem)) < controlSize {
		return nil
	}
	var err error
	if d.id, err = identify(mem); err != nil {
		c.judge(ruleIdentity, controlName, 0, err)
		return nil
	}
	c.identity()
	if err := selfTest(d.segment); err != nil {
		return err
	}
	if d.peer, err = peers.JoinReadOnly(d.segment.File(), &d.control.peers); err != nil {
		return fmt.Errorf("look at participants: %w", err)
	}
	d.str, err = stream.New(&d.control.stream, d.segment, stream.Config{
		Chunk: int(d.id.chunk), Chunks: int(d.id.chunks), Limit: int(d.id.limit), Segments: ringMemory{d},
	})
	return err
}

// openControl opens the directory and the control segment in it. A removal that
// comes between the two is no damage.
func (c *checkup) openControl(root *shm.Root, name string, cfg Config) error {
	for range 100 {
		dir, err := root.Open(name)
		if err != nil {
			return err
		}
		c.d = &Dict{cfg: cfg, name: name, log: cfg.Logger, dir: dir, values: undecoded{}}
		c.d.segment, err = dir.Open(shm.Name{Kind: shm.Control}, shm.ID{}, false, true)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, errs.ErrCorrupt):
			c.judge(ruleFile, controlName, 0, err)
			return nil
		case !errors.Is(err, fs.ErrNotExist):
			return err
		}
		if live, err := root.Is(name, dir); err != nil {
			return err
		} else if live {
			return c.withoutControl()
		}
		_ = dir.Close()
		c.d = nil
	}
	return errs.ErrRemoved // again and again
}

// withoutControl tells a dictionary that lacks its control segment from a
// directory that is none.
func (c *checkup) withoutControl() error {
	files, err := c.d.dir.Files()
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return errs.ErrNotExist
	}
	c.found(ruleFile, controlName, 0, "it is missing")
	return nil
}

// identity checks what the checksum does not: that it makes sense.
func (c *checkup) identity() {
	id := &c.d.id
	bad := func(format string, args ...any) {
		c.found(ruleIdentity, controlName, shm.HeaderSize, format, args...)
	}
	c.Created = time.Unix(0, id.created)
	if id.mode != 0 && (id.mode&^0o660 != 0 || id.mode&0o600 != 0o600) {
		bad("mode %#o of the files", id.mode)
	}
	if id.recurse > 1 {
		bad("recurse is %d", id.recurse)
	}
	if id.maxBytes < 0 {
		bad("a limit of %d bytes", id.maxBytes)
	}
	for _, f := range [][]byte{id.codec[:], id.keyKind[:]} {
		s := text(f)
		if s == "" || len(s) > maxKeyKind {
			bad("kind of keys or values has %d bytes", len(s))
		}
		for _, b := range f[len(s):] {
			if b != 0 {
				bad("kind of keys or values is not padded with zeros")
				break
			}
		}
	}
	boot, err := shm.BootID()
	if err != nil {
		c.note("this boot of the machine is not known: %v", err)
		return
	}
	if c.ThisBoot = boot == id.boot; !c.ThisBoot {
		c.note("it was made before the machine's last boot")
	}
}
