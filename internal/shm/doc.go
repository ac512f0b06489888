// Package shm gives the rest of the module its shared memory: files that are
// born whole, mapped by several processes, and removed by name; the directory
// of one dictionary instance; and the root directory that holds them all.
//
//	/dev/shm/ultradict-1000/            Root   flock: creating and removing
//	├── workers/                        Dir    one instance, undotted = live
//	│   ├── control                     Segment  header │ sections of other packages
//	│   ├── stream-0000001f-00000002    Segment  header │ chunks of the ring
//	│   │          └creator─┘└─seq──┘
//	│   ├── layer-0000001f-00000003     Segment  header │ a layer of the snapshot
//	│   └── body-00000020-00000001      Segment  header │ a large record
//	└── .jobs.9f2c…e1                   Dir    being made or being removed
//
// # A directory is born and dies by one rename
//
// [Root.Make] makes a dotted directory, the caller fills it, [Root.Publish]
// renames it to its name. [Root.Retire] renames it back and removes it. All of
// them, and [Root.Sweep], are called with [Root.Lock] held; so any dotted
// directory that the holder of the lock sees was left by a process that died,
// and Sweep removes it.
//
// # A file is born whole
//
//	Dir.Create: O_TMPFILE ─ mode ─ allocate all of it ─ map      nobody sees it
//	  (the caller fills Draft.Bytes)
//	Draft.Publish: header ─ link                                 everybody sees all of it
//
// A process that dies before the link leaves nothing at all. Allocation in full
// makes a full file system an error of one call instead of a SIGBUS at some
// later store. Every file begins with a [Header]; [Dir.Open] believes nothing
// that it has not checked.
//
// # Caveats
//
//   - A [Segment] is unmapped when it is closed or when the garbage collector
//     finds it unreachable, and the collector does not follow slices into
//     [Segment.Bytes]. No such slice may outlive the Segment: readers end in
//     runtime.KeepAlive(segment) and hand out copies only.
//   - Files are never shrunk. Truncating a mapped file from outside makes its
//     readers fault; that is beyond what this package can prevent.
//   - The checks of owner and mode keep other users out. A user who may write
//     the directory can delete it; that is what being allowed to write means.
//   - Some systems clear /dev/shm behind a user's back: logind's RemoveIPC=yes
//     deletes what belongs to a user when the last session ends. Mapped
//     segments stay usable, but nobody new finds them.
//   - On other systems than Linux, [OpenRoot] returns errors.ErrUnsupported.
package shm
