/*
 * The ring grows and shrinks: stream/writer.go enter, advance, farewell, Grow,
 * Collect; stream/stream.go Segments, Uses; internal/core/sweep.go; commit.go
 * grow and makeRoom.
 *
 * A position is counted in chunks here and a record fills one, so that each
 * append enters a chunk; floor is moved by somebody at any time, up to head.
 * What a chunk holds is the number of the chunk that was written there last.
 * A kill may come before every step. Another process sweeps what the dead have
 * left; with OWN_SWEEP it is a goroutine of process 1 and sweeps its own files.
 *
 * Memory is sequentially consistent here: all words are atomic ones. stream.pml
 * looks at the plain stores.
 */
#ifndef CHUNKS
#define CHUNKS 2                 /* of the ring at rest */
#endif
#ifndef LIMIT
#define LIMIT 3
#endif
#ifndef TABLE
#define TABLE 4                  /* MaxChunks */
#endif
#ifndef RECORDS
#define RECORDS 6
#endif
#ifndef DEATHS
#define DEATHS 1
#endif
#ifndef GAINS
#define GAINS 2                  /* segments that can be made in all */
#endif
#ifndef SCANS
#define SCANS 8                  /* Segments: for range 8 */
#endif
/* The checker says when a point is reached first; with -DREACH=n it fails there. */
#ifdef REACH
#define POINT(n) assert(REACH != n)
#else
c_decl {
	static void point(int n) {
		static char seen[32];
		if (!seen[n]) { seen[n] = 1; printf("reached point %d\n", n); }
	}
}
#define POINT(n) c_code { point(n); }
#endif

#define WRITERS 2
#define SWEEPER 3
#define SEGS (CHUNKS + GAINS)
#define SLOT(n) ((n) % TABLE)
#define GAINED(s) ((s) > CHUNKS)

byte head = 1, tail = 1, floor = 1;
byte number[TABLE], segment[TABLE];
byte spare[SWEEPER + 1];         /* writer.spare of each process */
byte dropped[SWEEPER + 1];       /* writer.dropped: one place */
byte made = CHUNKS;              /* segments made so far */
byte creator[SEGS + 1];
bit pending[SEGS + 1];
bit exists[SEGS + 1];            /* the file has a name */
byte holds[SEGS + 1];            /* chunk whose records stand in it */

byte lock;
bit killed[SWEEPER + 1];
bit dead[SWEEPER + 1];
byte deaths;
byte working = WRITERS;          /* ghost */

/* I1 by chunks: each in [tail, head) has memory of its own, which exists. */
inline I1() {
	d_step {
		assert(tail <= floor && floor <= head);
		for (x : 1 .. RECORDS) {
			if
			:: x >= tail && x < head ->
				assert(number[SLOT(x)] == x + 1);
				assert(exists[segment[SLOT(x)]]);
				assert(holds[segment[SLOT(x)]] == x)
			:: else -> skip
			fi
		}
		x = 0
	}
}

/* Stream.Segments, asked whether it names the segment that a sweeper or a
 * collector would remove; each load is a step. tries counts down. */
inline scan(what) {
	atomic { t = tail; i = 0; found = 0; tries = SCANS };
	do
	:: atomic { i < TABLE && tries > 0 && number[i] <= t -> i++ }
	:: atomic { i < TABLE && (tries == 0 || number[i] > t) };
	   atomic { if :: segment[i] == what -> found = 1 :: else -> skip fi; i++ }
	:: atomic { i == TABLE ->
		if
		:: tries == 0 -> POINT(6); break
		:: tries > 0 && tail - t < TABLE - LIMIT -> break
		:: else -> tries--; t = tail; i = 0; found = 0; POINT(5)
		fi
	   }
	od;
	atomic { i = 0; t = 0; tries = 0 }
}

inline remove(what) {
	exists[what] = 0;
	I1();
	/* Nor the chunk that the next writer enters. */
	assert(number[SLOT(head)] != head + 1 || exists[segment[SLOT(head)]])
}

/* Stream.Collect */
inline collect() {
	if
	:: atomic { dropped[me] != 0 -> gone = dropped[me] };
#ifdef COLLECT_BLINDLY
		found = 0;
#else
		if
		:: spare[me] == gone -> found = 1
		:: else -> scan(gone)
		fi;
#endif
		atomic {
			if
			:: !found && dropped[me] == gone -> dropped[me] = 0; remove(gone); POINT(4)
			:: else -> skip
			fi;
			gone = 0; found = 0
		}
	:: atomic { dropped[me] == 0 }
	fi
}

proctype Writer(byte me) {
	byte n, old, seg, x, t, i, tries, gone;
	bit taken, found, leave;
	{
		skip;
again:		atomic {
			if
			:: lock == 0 -> lock = me
			:: lock != 0 && dead[lock] -> lock = me
			fi;
			n = head; old = tail;
			if :: n > RECORDS -> lock = 0; n = 0; old = 0; goto out :: else -> skip fi
		};
		/* enter chunk n */
		do
#ifdef RECYCLE_ABOVE_FLOOR
		:: old < n && n - old >= CHUNKS ->
#else
		:: old < n && old + 1 <= floor ->
#endif
			atomic {
				assert(number[SLOT(old)] == old + 1);
				seg = segment[SLOT(old)];
				taken = (number[SLOT(n)] == n + 1);
				leave = (n - old > CHUNKS && old + 2 <= floor && GAINED(seg) && dropped[me] == 0)
			};
			if
			:: taken && segment[SLOT(n)] == seg ->
				atomic { tail = old + 1; POINT(1); I1() };
				goto entered
			:: taken && segment[SLOT(n)] != seg -> atomic { POINT(2) }; goto entered
			:: !taken && leave ->
#ifdef FAREWELL_EARLY
				dropped[me] = seg;
#endif
				atomic { tail = old + 1; POINT(3); I1() };
#ifndef FAREWELL_EARLY
				dropped[me] = seg;
#endif
				old++
			:: !taken && !leave ->
#ifdef TAIL_BEFORE_SLOT
				atomic { tail = old + 1; I1() };
#endif
#ifdef NUMBER_FIRST
				number[SLOT(n)] = n + 1;
				segment[SLOT(n)] = seg;
#else
				segment[SLOT(n)] = seg;
				number[SLOT(n)] = n + 1;
#endif
#ifndef TAIL_BEFORE_SLOT
				atomic { tail = old + 1; I1() };
#endif
				goto entered
			fi
		:: else -> break
		od;
		if
		:: atomic { number[SLOT(n)] == n + 1 -> goto entered }
		:: atomic { number[SLOT(n)] != n + 1 && n - old >= LIMIT -> lock = 0; goto limit }
		:: atomic { number[SLOT(n)] != n + 1 && n - old < LIMIT && spare[me] == 0 -> lock = 0; goto isFull }
		:: atomic { number[SLOT(n)] != n + 1 && n - old < LIMIT && spare[me] != 0 -> segment[SLOT(n)] = spare[me] };
		   number[SLOT(n)] = n + 1;
		   spare[me] = 0
		fi;
entered:	/* Append: into the chunk's memory, then head. */
		atomic {
			seg = segment[SLOT(n)];
			holds[seg] = n;
			I1()
		};
		atomic { head = n + 1; I1() };
		atomic { lock = 0; seg = 0; n = 0; old = 0; taken = 0; leave = 0 };
		collect();
		goto again;

isFull:		/* Grow: makes a segment, pending until it is the spare. */
		atomic {
			n = 0; old = 0; seg = 0; taken = 0; leave = 0;
			if
			:: made < SEGS -> made++; seg = made; creator[seg] = me; pending[seg] = 1; exists[seg] = 1
			:: made == SEGS && (floor > tail || head > RECORDS) -> goto again       /* makeRoom */
			fi
		};
#ifdef SETTLE_EARLY
		pending[seg] = 0;
		atomic { spare[me] = seg; seg = 0 };
#else
		spare[me] = seg;
		atomic { pending[seg] = 0; seg = 0 };
#endif
		goto again;
limit:		/* makeRoom: until floor has moved. */
		atomic {
			n = 0; old = 0; seg = 0; taken = 0; leave = 0;
			floor > tail || head > RECORDS
		};
		goto again;
out:		collect();
		atomic { working-- }
	} unless {
		atomic {
			killed[me] ->
			n = 0; old = 0; seg = 0; x = 0; t = 0; i = 0; tries = 0; gone = 0;
			taken = 0; found = 0; leave = 0;
			spare[me] = 0; dropped[me] = 0; dead[me] = 1; working--
		}
	}
}

#ifdef FAREWELL_EARLY
/* Another goroutine of process 1 that has just committed. */
proctype Collector() {
	byte me = 1, x, t, i, tries, gone;
	bit found;
	{
		do
		:: dropped[1] != 0 -> collect()
		:: working == 0 -> break
		od
	} unless { killed[1] }
}
#endif

/* The folder, as far as the ring sees it: Release, under the lock. */
proctype Folder() {
	do
	:: atomic { floor < head && (lock == 0 || dead[lock]) -> floor++ }
	:: atomic { working == 0 -> break }
	od
}

#define LEFT_OVER(s) (exists[s] && (dead[creator[s]] || creator[s] == me && !pending[s]))

proctype Sweeper(byte me) {
	byte s, x, t, i, tries;
	bit found;
	{
		do
		:: atomic {
			/* The files are listed; nobody will give this one to the ring any more. */
			if
			:: LEFT_OVER(CHUNKS + 1) -> s = CHUNKS + 1
			:: LEFT_OVER(CHUNKS + 2) -> s = CHUNKS + 2
			:: working == 0 -> break
			fi
		   };
		   if
		   :: spare[me] == s -> found = 1
		   :: else -> scan(s)
		   fi;
		   atomic {
			if
			:: !found -> remove(s); POINT(7)
			:: else -> skip
			fi;
			s = 0; found = 0
		   }
		od
	} unless { me == 1 && killed[1] }
}

proctype Killer() {
	byte who;
	do
	:: deaths < DEATHS ->
		atomic {
			select (who : 1 .. WRITERS);
			if
			:: !killed[who] -> killed[who] = 1; deaths++
			:: else -> skip
			fi;
			who = 0
		}
	:: break
	od
}

init {
	byte i;
	atomic {
		for (i : 1 .. CHUNKS) {
			number[SLOT(i)] = i + 1;
			segment[SLOT(i)] = i;
			exists[i] = 1
		}
		i = 0;
		run Writer(1); run Writer(2); run Folder();
#ifdef OWN_SWEEP
		run Sweeper(1);
#else
		run Sweeper(SWEEPER);
#endif
#ifdef FAREWELL_EARLY
		run Collector();
#endif
#if DEATHS > 0
		run Killer()
#endif
	}
}
