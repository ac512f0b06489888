package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// client sends requests through one connection at a time.
type client struct {
	base  string    // URL of the server
	begin time.Time // times are counted from
	http  *http.Client
}

// call is a request and its answer.
type call struct {
	sent, received time.Duration
	status         int
	answer         answer
}

func newClient(base string, begin time.Time) *client {
	return &client{base, begin, &http.Client{Transport: &http.Transport{MaxConnsPerHost: 1, DisableCompression: true}, Timeout: patience}}
}

func (c *client) close() { c.http.CloseIdleConnections() }

// post sends a request, which closes the connection if last. An error says that there was
// no answer: whether the server has done anything is not known then. It is not sent again
// by itself, as a GET may be.
func (c *client) post(path string, last bool, form url.Values) (call, error) {
	req, err := http.NewRequest(http.MethodPost, c.base+path, strings.NewReader(form.Encode()))
	if err != nil {
		return call{}, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Close = last
	return c.do(req)
}

// who asks which worker is at the other end of the connection.
func (c *client) who() (worker int, err error) {
	req, err := http.NewRequest(http.MethodGet, c.base+"/who", nil)
	if err != nil {
		return 0, err
	}
	k, err := c.do(req)
	return k.answer.Worker, err
}

func (c *client) do(req *http.Request) (k call, err error) {
	k.sent = time.Since(c.begin)
	resp, err := c.http.Do(req)
	if err != nil {
		return call{}, err
	}
	text, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close() // all was read, or that has failed
	if err != nil {
		return call{}, err
	}
	k.received = time.Since(c.begin)
	k.status = resp.StatusCode
	if k.status == http.StatusInternalServerError {
		return call{}, serverError(strings.TrimSpace(string(text)))
	}
	if err := json.Unmarshal(text, &k.answer); err != nil {
		return call{}, serverError(fmt.Sprintf("status %d, and no answer: %v", k.status, err))
	}
	return k, nil
}

// serverError is an error that a worker has answered with.
type serverError string

func (e serverError) Error() string { return "the server says: " + string(e) }

// session is a session as its user sees it.
type session struct {
	id       string
	user     string
	by       int           // process that has made it
	used     time.Duration // when the last request that found it was sent
	answered time.Duration // when the last one was answered that may have found it
}

// login makes a session for a user.
func (c *client) login(user string) (*session, error) {
	k, err := c.post("/login", false, url.Values{"user": {user}})
	if err != nil {
		return nil, err
	}
	return &session{id: k.answer.Session, user: user, by: k.answer.Worker, used: k.sent, answered: k.received}, nil
}

// margin is more than the clocks of processes differ.
const margin = time.Millisecond

// must says what a request with a session has to find. It is there for ttl from when its
// last use reached the server: after that was sent, and before it was answered.
func (s *session) must(k call, ttl time.Duration) presence {
	switch {
	case k.received < s.used+ttl-margin:
		return present
	case k.sent > s.answered+ttl+margin:
		return absent
	}
	return either
}

type presence int

const (
	either presence = iota
	present
	absent
)

// see takes a request with the session into account, and returns an error if it should
// not have found what it has.
func (s *session) see(k call, ttl time.Duration) error {
	must, found := s.must(k, ttl), k.status != http.StatusUnauthorized
	if found {
		if k.answer.User != s.user || k.answer.By != s.by {
			return fmt.Errorf("worker %d takes a session of %s for one of %s", k.answer.Worker, s.user, k.answer.User)
		}
		if must == absent {
			return fmt.Errorf("worker %d finds a session of %s that was not used for %v", k.answer.Worker, s.user, k.sent-s.answered)
		}
		s.used, s.answered = k.sent, max(s.answered, k.received)
		return nil
	}
	if must == present {
		return fmt.Errorf("worker %d does not find a session of %s, made by %d and used %v ago", k.answer.Worker, s.user, s.by, k.received-s.used)
	}
	return nil
}
