package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"time"
)

// connections is how many requests of a client are under way at a time.
const connections = 3

// record is what came of a request to do some work.
type record struct {
	sent, received time.Duration
	worker, by     int   // process that answered, and the one that had made the session
	n, serial      int64 // numbers that the request got
	allowed        bool
}

// tally is what one connection of a client has seen.
type tally struct {
	client  string
	records []record
	logins  int
	lost    int // requests without an answer
}

// hammer sends requests of a client, one after the other, until ctx is done. Now and then
// it logs in anew.
func hammer(ctx context.Context, c *client, name string, ttl time.Duration) (t *tally, err error) {
	t = &tally{client: name}
	defer c.close()
	var own *session
	for ctx.Err() == nil {
		if own == nil {
			if own, err = c.login(name); err == nil {
				t.logins++
				continue
			}
		}
		var k call
		if err == nil {
			k, err = c.post("/work", rand.IntN(8) == 0, url.Values{"session": {own.id}})
		}
		if failed := serverError(""); errors.As(err, &failed) {
			return t, fmt.Errorf("%s: %w", name, err)
		}
		if err != nil { // the worker has died
			t.lost++
			err = nil
			if own != nil {
				own.answered = time.Since(c.begin)
			}
			continue
		}
		if err := own.see(k, ttl); err != nil {
			return t, fmt.Errorf("%s: %w", name, err)
		}
		if k.status == http.StatusUnauthorized {
			own = nil // this machine has paused for longer than its time to live
			continue
		}
		t.records = append(t.records, record{
			sent: k.sent, received: k.received, worker: k.answer.Worker, by: k.answer.By,
			n: k.answer.N, serial: k.answer.Serial, allowed: k.status == http.StatusOK,
		})
		if rand.IntN(100) == 0 {
			own = nil
		}
	}
	return t, nil
}
