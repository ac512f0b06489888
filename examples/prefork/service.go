package main

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"time"

	"github.com/ultradict/go/ultradict"
)

// rules are what all workers go by.
type rules struct {
	Name   string        // of the dictionaries, but for an ending
	Limit  int64         // requests of a client in one window
	Window time.Duration // begins with a client's first request
	TTL    time.Duration // of a session, since its last use
}

// Session is what a worker knows of a user who has logged in.
type Session struct {
	User  string
	By    int // process that has made it
	Since time.Time
}

// everybody is the key under which all requests are counted. Clients have other names.
const everybody = "*"

// service answers requests, in each worker.
type service struct {
	rules
	limits   *ultradict.Map[string, int64]
	sessions *ultradict.Map[string, Session]
}

// answer is what a worker answers, in JSON.
type answer struct {
	Worker  int    // its process
	Session string `json:",omitempty"` // of a login: its id
	User    string `json:",omitempty"` // whose session it is
	By      int    `json:",omitempty"` // process that made it
	N       int64  `json:",omitempty"` // requests of the client in this window, with this one
	Serial  int64  `json:",omitempty"` // requests of all clients, with this one
}

// openService opens the dictionaries, with options for both.
func openService(r rules, opts ...ultradict.Option) (*service, error) {
	limits, err := ultradict.OpenMap[string, int64](r.Name+"-limits", opts...)
	if err != nil {
		return nil, err
	}
	sessions, err := ultradict.OpenMap[string, Session](r.Name+"-sessions", opts...)
	if err != nil {
		return nil, errors.Join(err, limits.Close())
	}
	return &service{r, limits, sessions}, nil
}

func (s *service) close() error { return errors.Join(s.limits.Close(), s.sessions.Close()) }

// remove removes the dictionaries, if nobody else has.
func (r rules) remove() error {
	var failed error
	for _, ending := range []string{"-limits", "-sessions"} {
		if err := ultradict.Remove(r.Name + ending); !errors.Is(err, ultradict.ErrNotExist) {
			failed = errors.Join(failed, err)
		}
	}
	return failed
}

func (s *service) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /who", func(w http.ResponseWriter, _ *http.Request) { reply(w, http.StatusOK, answer{}) })
	for path, handle := range map[string]func(*http.Request) (int, answer, error){
		"POST /login": s.login,
		"POST /me":    s.me,
		"POST /work":  s.work,
	} {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			status, a, err := handle(r)
			if err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			reply(w, status, a)
		})
	}
	return mux
}

func reply(w http.ResponseWriter, status int, a answer) {
	a.Worker = os.Getpid()
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(a) // who is gone needs no answer
}

// login makes a session.
func (s *service) login(r *http.Request) (int, answer, error) {
	id := rand.Text()
	err := s.sessions.SetWithTTL(id, Session{User: r.FormValue("user"), By: os.Getpid(), Since: time.Now()}, s.TTL)
	return http.StatusOK, answer{Session: id}, err
}

// me says whose session it is, which counts as a use of it.
func (s *service) me(r *http.Request) (int, answer, error) {
	id := r.FormValue("session")
	session, err := s.sessions.Get(id)
	if err == nil {
		var present bool
		if present, err = s.sessions.Expire(id, s.TTL); err == nil && !present {
			err = ultradict.ErrNotFound // its time was up in between
		}
	}
	if errors.Is(err, ultradict.ErrNotFound) {
		return http.StatusUnauthorized, answer{}, nil
	}
	return http.StatusOK, answer{User: session.User, By: session.By}, err
}

// work is for those with a session, within their limit.
func (s *service) work(r *http.Request) (int, answer, error) {
	status, a, err := s.me(r)
	if err != nil || status != http.StatusOK {
		return status, a, err
	}
	if a.Serial, err = s.limits.AddInit(everybody, 1, 0, 24*time.Hour); err != nil {
		return 0, a, err
	}
	if a.N, err = s.limits.AddInit(a.User, 1, 0, s.Window); err != nil {
		return 0, a, err
	}
	if a.N > s.Limit {
		return http.StatusTooManyRequests, a, nil
	}
	return http.StatusOK, a, nil // here it would work
}
