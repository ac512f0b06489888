// Package savefile gives saves their files: each appears whole under its name or not at
// all, whenever its writer is killed, and a folder keeps the newest of one dictionary.
// It knows nothing of what is in them.
//
//	/var/lib/app/                          Folder  the user's own
//	├── jobs.0000000000000007.save         the one before
//	├── jobs.0000000000000008.save         the newest
//	├── .jobs.9f2c…e1.saving               Draft   flock: its writer lives
//	├── jobs.0000000000000006.save.damaged was set aside
//	└── jobs.lock                          flock: publishing, restoring, removing
//
// # A file is born whole
//
//	Create: O_EXCL ─ flock ─ mode         a temporary name that nobody uses
//	  (the caller writes)
//	Publish: sync ─ rename ─ sync of the directory
//
// A writer that is killed leaves a file with a temporary name, on which nobody has a
// lock any more: the next draft of the same name removes it.
//
// # Caveats
//
//   - Where a file system has no flock, what the killed leave stays.
//   - What a crash of the machine leaves is the file system's to say: after Publish has
//     returned the file is there, as far as fsync tells the truth.
package savefile
