// Nested has robots, each a process, carry goods between the sites of a warehouse. All of
// it is one dictionary, with dictionaries in it:
//
//	go run ./examples/nested [-for 5s] [-robots 4] [-kills 3] [-every 100ms]
//
//	(the root) ── sites ── north ── shelves ── a ── bolts 12, nuts 3 …
//	   │              │        │           └── b ── …
//	   │              │        └── layout, visits, rebuilt
//	   │              └── south ── …
//	   ├── robots ── r1 ── cargo ── bolts 2
//	   │       │       └── at, log
//	   │       └── r2 ── …
//	   └── total, closed, audit
//
// A robot unloads what it carries onto a shelf and takes something else from another one,
// all in one transaction over dictionaries of several levels. Then it signs the visitors'
// book of the site through a handle that it keeps.
//
// Meanwhile the program rebuilds sites: it takes stock of one, and puts a new tree in its
// place, with other shelves, in one transaction. Handles of the old one are of no use
// after that: a robot gets ErrRemoved when it signs the book, opens the new one, and signs
// that. And it kills robots; who takes the place of one finds its cargo in the tree.
//
// An auditor, a process as well, takes stock of the whole tree again and again, now by a
// View and now by Plain. Whatever moment it sees, nothing is missing and nothing is there
// twice. In the end the tree is printed, and the sums are checked once more: the goods, and
// the signatures in the books, none of which a rebuilt site may have lost.
//
// The program ends after the given time, or with Ctrl-C, and exits with 1 if anything that
// it claims does not hold.
package main
