// Package replica is a process's local picture of a dictionary. It knows
// nothing of shared memory: records are put into it in order, and underneath
// lies a Base that answers for everything older.
//
//	state ──┬─ applied      position of the last record that was put in
//	        ├─ overlay      key → version → version → …   newest first
//	        └─ base         everything up to its own position, read where it lies
//
//	key ─▶ {position 91, "new"} ─▶ {position 60, "old"} ─▶ below | gap
//
// A look-up at a position walks the versions of a key to the first one that is
// not newer. The hot path is the first version. A chain ends below (the base
// knows); where versions were let go, in the middle or at the end, stands a gap:
// the reader is behind what anybody may still need and has to load the state
// again. All versions of a key share its name, which is the key as the overlay
// keeps it.
//
// # Rules
//
//   - Readers take no lock and wait for nobody. Appliers exclude each other by
//     the replica's lock.
//   - A version is immutable once it can be reached, except for its link to the
//     one before it, which only ever skips versions, for a gap in their place.
//   - An entry is never removed from an overlay that can be reached. It goes
//     with the whole overlay, when a state is built upon a newer base.
//   - The newest version that is not newer than applied, and those that an open
//     view needs, are never let go.
//   - applied belongs to its state and stands still once the state is replaced.
//     So a reader that compares the state's applied with the stream's head needs
//     to look at nothing else to know that what it finds is up to date.
package replica
