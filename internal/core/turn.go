package core

import "context"

// turn is a mutex that can be waited for with a context. Make one with newTurn.
type turn chan struct{}

func newTurn() turn { return make(turn, 1) }

// take takes the turn, or returns the context's error when that ends first.
func (t turn) take(ctx context.Context) error {
	select {
	case t <- struct{}{}:
		return nil
	default:
	}
	select {
	case t <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (t turn) give() { <-t }
