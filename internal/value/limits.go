package value

import (
	"errors"
	"fmt"
	"math"

	"github.com/ultradict/go/internal/errs"
)

// Limits. Append refuses what exceeds them, and Decode accepts everything
// within them.
const (
	// MaxDepth is how many lists, maps and structs may be nested.
	MaxDepth = 64 // part of the format

	// MaxKeyLen is the most bytes that one encoded key may have.
	MaxKeyLen = 65535 // part of the format

	// MaxKindLen is the most bytes that the description of a key type may have.
	MaxKindLen = 200 // part of the format

	// MaxLen is the most bytes that one encoded value may have: 1 GiB, and
	// 64 MiB where pointers have 32 bits. It also bounds the elements of
	// lists and maps, which have no limit of their own: each takes a byte.
	MaxLen = 64<<20 + (1<<30-64<<20)*(math.MaxUint>>63)
)

// Unencodable is the error of everything that cannot be stored: of each
// Append for a key or a value, and of [NewCodec] and [NewKeys] for a type.
type Unencodable struct {
	Reason string // which part, and why it could not be read back
	Err    error  // of the codec that is not this package's, nil otherwise
}

func (e *Unencodable) Error() string { return "ultradict: cannot be stored: " + e.Reason }

func (e *Unencodable) Unwrap() error { return e.Err }

func refuse(format string, args ...any) error {
	return &Unencodable{Reason: fmt.Sprintf(format, args...)}
}

// damaged is the error for bytes that no Append makes.
func damaged(format string, args ...any) error {
	return fmt.Errorf("decode: %w: %s", errs.ErrCorrupt, fmt.Sprintf(format, args...))
}

// misfit is the error for sound bytes that are not a want.
func misfit(want, format string, args ...any) error {
	return &errs.TypeError{Want: want, Reason: fmt.Sprintf(format, args...)}
}

// reasonOf is the text of err that goes into a larger reason.
func reasonOf(err error) string {
	var te *errs.TypeError
	if errors.As(err, &te) {
		return te.Reason
	}
	var un *Unencodable
	if errors.As(err, &un) {
		return un.Reason
	}
	return err.Error()
}
