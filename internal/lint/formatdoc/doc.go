// Package formatdoc keeps docs/FORMAT.md true: tests of the packages that own
// a part of the format hand it their structures, and it compares them with the
// tables of the document.
//
//	**`core.lease`, 32 bytes**                        name and size
//
//	| field | offset | size | access | … |            a table follows
//	|---|---|---|---|---|
//	| `owner` | 0 | 4 | CAS | … |
//	| reserved | 4 | 4 | – | … |
//
// [Struct] compares a table with a Go structure: the same fields, each with
// the same offset and size, nothing left out on either side, no byte without a
// row, and "plain" where Go says plain, "atomic" or "CAS" where it says atomic.
// [Fields] does so with what has no Go structure and is read by offset.
// [Contains] makes sure that a dump in the document is what the code makes.
//
// # Caveats
//
// What the other columns say (who writes a field, and what is always true of
// it) nobody checks but the reader.
package formatdoc
