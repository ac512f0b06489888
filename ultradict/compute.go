package ultradict

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"

	"github.com/ultradict/go/internal/core"
	"github.com/ultradict/go/internal/replica"
)

// GetOrCompute returns the value of a key and, where there is none, stores what fn
// returns. Of all goroutines of all processes that ask for the key only one calls fn;
// the others wait for what it stores. If its process dies, or closes the handle, or if
// fn fails, the next one calls its own fn. A process that is merely stopped is waited
// for.
//
// If somebody else stores a value while fn runs, that value stays, and is returned.
// fn must not ask for the same key: it would wait for itself until ctx is done.
//
// The value is the caller's own if fn was called, and shared as that of [Map.Get]
// otherwise. Errors: what fn returned; the context's; *[EncodeError] if fn's value
// cannot be stored; otherwise as [Map.Get] and [Map.Set].
func (m *Map[K, V]) GetOrCompute(ctx context.Context, key K, fn func(context.Context) (V, error)) (V, error) {
	var zero V
	enc, err := m.keys.Append(nil, key)
	if err != nil {
		return zero, unencodable(key, err)
	}
	who := m.claimed(core.Computations, enc)
	var doubt core.Doubt
	for {
		position, err := m.d.Position()
		if err != nil {
			return zero, err
		}
		if v, err := m.Get(key); !errors.Is(err, ErrNotFound) {
			return v, err
		}
		if err := ctx.Err(); err != nil {
			return zero, err
		}
		claim, _, err := m.d.TryClaim(who, &doubt)
		if err != nil {
			return zero, err
		}
		if claim != nil {
			return m.computeOnce(ctx, key, claim, fn)
		}
		if err := m.d.AwaitClaim(ctx, position); err != nil {
			return zero, err
		}
	}
}

// claimed is the key under which something of this dictionary is claimed; of what is
// long, a hash: a key has a largest size.
func (m *Map[K, V]) claimed(dict uint64, what []byte) replica.Key {
	key := binary.AppendUvarint(nil, m.number())
	if len(what) > longestClaim {
		sum := sha256.Sum256(what)
		what = append([]byte{0xff}, sum[:]...)
	}
	return replica.Key{Dict: dict, Str: string(append(key, what...))}
}

const longestClaim = 1 << 10 // bytes; part of the format

// computeOnce is GetOrCompute for the one that has the claim.
func (m *Map[K, V]) computeOnce(ctx context.Context, key K, claim *core.Claim, fn func(context.Context) (V, error)) (V, error) {
	var zero V
	released := false
	defer func() { // also when fn panics
		if !released {
			claim.Abandon()
		}
	}()
	// The last one may have stored it after we looked and before we claimed.
	if v, err := m.Get(key); !errors.Is(err, ErrNotFound) {
		return v, err
	}
	v, err := fn(ctx)
	if err != nil {
		return zero, err
	}
	var stored V
	err = m.Update(ctx, func(tx *Tx[K, V]) error {
		if err := claim.ReleaseWith(tx.t); err != nil {
			return err
		}
		has, err := tx.Has(key)
		if err == nil && !has {
			err = tx.Set(key, v)
		}
		if err != nil {
			return err
		}
		stored, err = tx.Get(key)
		return err
	})
	if err != nil {
		return zero, err
	}
	released = true
	return stored, nil
}
