package ultradict

import (
	"errors"
	"fmt"
	"time"

	"github.com/ultradict/go/internal/core"
)

// Open opens the dictionary of a name, and creates it where it does not exist.
// Names have 1 to 200 bytes, no slash, no control character and no leading dot.
// All processes of the user that open a name have the same dictionary, until
// somebody removes it or the machine is rebooted. With [WithPersistence] it comes back
// after that.
//
// Errors: [ErrInvalidName], [ErrInvalidOption], [ErrExists], [ErrNotExist],
// [ErrVersion], [ErrCorrupt], [ErrNoSpace], *[LockError]; fs.ErrPermission if
// the directory is not safe to use; errors.ErrUnsupported on systems other than
// Linux; with [WithPersistence] also *[SaveError] and *[SaveMismatchError].
func Open(name string, opts ...Option) (*Dict, error) { return OpenMap[string, any](name, opts...) }

// OpenMap is Open for keys of type K and values of type V.
//
// K may be a string, integer or boolean type, and an array or struct of such
// types whose fields are all exported. Floating-point keys are refused: NaN
// would never be found, and 0 and −0 are equal but not the same. All handles of
// a dictionary must agree about the kind of its keys, such as "string" or
// "int"; values are encoded alike whatever V is, and one that does not fit V is
// a *[TypeError] when it is read. How they are encoded, CBOR or otherwise, must
// be agreed about as well, see [WithCodec].
//
// Errors: as [Open].
func OpenMap[K comparable, V any](name string, opts ...Option) (*Map[K, V], error) {
	o, err := gather(opts)
	if err != nil {
		return nil, fmt.Errorf("open %q: %w", name, err)
	}
	keys, vals, err := types[K, V](o.codec)
	if err != nil {
		return nil, fmt.Errorf("open %q: %w", name, err)
	}
	cfg := o.Config
	cfg.KeyKind, cfg.Codec, cfg.Values = keys.Kind(), o.codec.name(), vals
	if cfg.Saves != nil {
		cfg.Saves.CheckKey = checkKey(keys)
	}
	d, err := core.Open(name, cfg)
	if err != nil {
		return nil, err
	}
	return newMap(d, 0, keys, vals), nil
}

// Remove ends the dictionary of a name. Those that are attached get
// [ErrRemoved] from then on; its memory is free again when they have let go of
// it. The name can be used anew at once, for a dictionary that has nothing to
// do with the old one. Of the options, [WithDir], [WithMode] and
// [WithLockTimeout] count.
//
// Errors: [ErrInvalidName], [ErrInvalidOption], [ErrNotExist], *[LockError];
// fs.ErrPermission if the directory is not safe to use.
func Remove(name string, opts ...Option) error {
	cfg, err := configure(opts)
	if err != nil {
		return fmt.Errorf("remove %q: %w", name, err)
	}
	return core.Remove(name, cfg)
}

// Info describes a dictionary without opening it for use.
type Info struct {
	Name         string    // as given to Open
	Instance     string    // random, of this life of the name
	Entries      int       // in the root dictionary
	Bytes        int64     // of shared memory
	Participants int       // open handles, of all processes; read-only ones are not counted
	Created      time.Time // when this instance was
	Err          error     // why the rest is not known, nil if it is
}

// List describes all dictionaries in the directory, sorted by name. None is not
// an error. Of the options, [WithDir] and [WithMode] count.
//
// Errors: [ErrInvalidOption]; fs.ErrPermission if the directory is not safe to
// use. What is wrong with one dictionary is in its Info.
func List(opts ...Option) ([]Info, error) {
	cfg, err := configure(opts)
	if err != nil {
		return nil, fmt.Errorf("list dictionaries: %w", err)
	}
	found, err := core.List(cfg)
	if errors.Is(err, ErrNotExist) {
		return nil, nil
	}
	infos := make([]Info, len(found))
	for i, f := range found {
		infos[i] = Info(f)
	}
	return infos, err
}
