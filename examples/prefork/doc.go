// Prefork is a web server of several processes that accept connections from one socket,
// and share a rate limiter and their users' sessions:
//
//	go run ./examples/prefork [-workers 4] [-clients 3] [-limit 20] [-window 250ms] [-ttl 1s]
//
//	                 ┌──> worker ──┐
//	clients ──> socket ──> worker ──┤── AddInit ──────────> limits:   client ─> requests in its window
//	                 └──> worker ──┘── SetWithTTL, Expire ─> sessions: id ─> Session
//
// The parent opens the socket and starts the workers, this same program again, which
// inherit it. Which of them gets a connection is the kernel's choice. So a client's
// requests end up anywhere, and still
//
//   - no window of time has more requests of a client than the limit allows, counted over
//     all workers (a counter whose time to live is set when it is created);
//   - a session that one worker has made is there for all, as long as it is used, and for
//     nobody after that (a time to live that each use begins anew);
//   - a worker that is killed takes none of that with it.
//
// A few clients, built in, send requests as fast as they can. Each answer says what the
// worker has counted. At the same time the program keeps a connection to each of the
// workers, asks all of them for the same sessions, and kills one of them.
//
// # How it is checked
//
// Every request is also counted in one counter for all, and has the number it got in its
// answer: no number may come twice, and of those that are missing there may be no more
// than requests whose worker was killed at them.
//
// Each window of a client gives out each number from 1 on once. So no number may come
// more often than there were windows, which are as many as there were ones; and between
// two ones lies at least the length of a window.
//
// Whether a session has to be there, or must not be, is told by the client's clock: when it
// sent its last request with it, when that was answered, and the same of this one. Where
// the machine was so slow that either may be, nothing is claimed.
//
// The program ends after five times to live, or with Ctrl-C, and exits with 1 if anything
// that it claims does not hold.
package main
