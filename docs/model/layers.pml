/*
 * Layers and their list: snapshot/directory.go Read, Publish, Replace;
 * internal/core/rollover.go foldLocked, push, list, absorb; merge.go exchange,
 * retire; lease.go; base.go openBase; stream/writer.go Release.
 *
 * Two processes fold, one merges, one opens the dictionary again and again, and
 * records are appended and overwritten meanwhile. A position is a number of
 * records. A layer is told by its file; what it holds follows from the positions
 * it was folded between. A kill may come before every step of a folder or the
 * merger. The lock is one step here (lock.pml). All words are atomic ones.
 */
#ifndef RECORDS
#define RECORDS 3
#endif
#ifndef FOLDS
#define FOLDS 2                  /* that one process tries */
#endif
#ifndef MERGES
#define MERGES 1
#endif
#ifndef OPENS
#define OPENS 1
#endif
#ifndef DEATHS
#define DEATHS 1
#endif
#ifndef FILES
#define FILES 6
#endif
#ifndef FOLDERS
#define FOLDERS 2
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

#ifndef MAXLAYERS
#define MAXLAYERS 3              /* MaxLayers */
#endif
#define FIRST 1
#define LAST (FIRST + RECORDS)
#define MERGER (FOLDERS + 1)

byte head = FIRST, floor = FIRST, tail = FIRST;

byte sequence;                   /* Directory.sequence */
byte word0[2], word1[2], word2[2];   /* directorySlot.words: a file each */
int sum[2];                      /* directorySlot.sum, over sequence, number and files */
#define SUM(q, c, a, b, d) (((q) << 16) | ((c) << 12) | ((a) << 8) | ((b) << 4) | (d))
#define COUNT(x) (((x) >> 12) & 15)

byte files;                      /* made so far */
byte from[FILES + 1], to[FILES + 1];
bit exists[FILES + 1];

byte lock, lease;
bit killed[MERGER + 1];
bit dead[MERGER + 1];
byte deaths, working;
byte newest = FIRST;             /* ghost: highest position that was listed */

#define ACQUIRE atomic { if :: lock == 0 -> lock = me :: lock != 0 && dead[lock] -> lock = me fi }

#define END(c, a, b, d) ((c) == 0 -> FIRST : ((c) == 1 -> to[a] : ((c) == 2 -> to[b] : to[d])))
#define ADJACENT(c, a, b, d) (((c) < 1 || from[a] == FIRST) && \
	((c) < 2 || to[a] == from[b]) && ((c) < 3 || to[b] == from[d]))

/* I5: the list in force is whole. No gap between layers, and all of them exist.
 * I2: tail <= floor <= end of the newest layer <= head. I3: it never goes back. */
inline I235() {
	d_step {
		x = sequence & 1; y = COUNT(sum[x]);
		assert(sum[x] == (sequence == 0 && y == 0 -> 0 : SUM(sequence, y,
			(y > 0 -> word0[x] : 0), (y > 1 -> word1[x] : 0), (y > 2 -> word2[x] : 0))));
		assert(ADJACENT(y, word0[x], word1[x], word2[x]));
		assert((y < 1 || exists[word0[x]]) && (y < 2 || exists[word1[x]]) && (y < 3 || exists[word2[x]]));
		y = END(y, word0[x], word1[x], word2[x]);
		assert(y >= newest && y <= head && floor <= y && tail <= floor);
		newest = y;
		x = 0; y = 0
	}
}

/* Directory.Read: into q, c, a, b, d. */
inline read() {
	do
	:: atomic { q = sequence };
	   atomic { z = sum[q & 1]; a = word0[q & 1] };
	   atomic { b = word1[q & 1]; d = word2[q & 1] };
	   atomic {
		c = COUNT(z);
		if :: c < 3 -> d = 0 :: else -> skip fi;
		if :: c < 2 -> b = 0 :: else -> skip fi;
		if :: c < 1 -> a = 0 :: else -> skip fi;
#ifdef NO_RECHECK
		if
		:: true ->
#else
		if
		:: sequence != q -> POINT(1)
		:: sequence == q ->
#endif
			/* I5: what was copied is one list. */
			assert(z == (q == 0 && c == 0 -> 0 : SUM(q, c, a, b, d)));
			assert(ADJACENT(c, a, b, d));
			z = 0; break
		fi
	   }
	od
}

/* openBase: the list, and its files. */
inline openBase() {
	do
	:: read();
	   atomic {
		if
		:: (c < 1 || exists[a]) && (c < 2 || exists[b]) && (c < 3 || exists[d]) -> break
		:: else -> assert(sequence != q); POINT(2)      /* else a listed layer does not exist */
		fi
	   }
	od
}

/* Stream.Release: by the owner of the lock. */
inline release(p) { if :: p > floor -> floor = p; I235() :: else -> skip fi }

/* Directory.Publish of c, a, b, d, from the one of q on; ok says whether. */
inline publish() {
	atomic {
#ifdef NO_COMPARE
		q = sequence; ok = 1
#else
		ok = (sequence == q)
#endif
	};
	if
	:: ok ->
#ifdef ONE_SLOT
#define SPARE (q & 1)
#else
#define SPARE ((q + 1) & 1)
#endif
		atomic { word0[SPARE] = a; word1[SPARE] = b; I235() };
		atomic { word2[SPARE] = d; I235() };
		atomic { sum[SPARE] = SUM(q + 1, c, a, b, d); I235() };
		atomic {
			if
			:: sequence == q -> sequence = q + 1; I235()
			:: else -> ok = 0
			fi
		}
	:: else -> skip
	fi
}

inline make(p, r) {
	files++; new = files; from[new] = p; to[new] = r; exists[new] = 1
}

proctype Folder(byte me) {
	byte q, c, a, b, d, p, r, new, old, n, x, y;
	int z;
	bit ok;
	{
		skip;
next:		atomic {
			q = 0; c = 0; a = 0; b = 0; d = 0; p = 0; r = 0; new = 0; old = 0; ok = 0;
			if
			:: n == FOLDS -> goto out
			:: else -> n++
			fi;
			/* The lease is a hint: it is taken also from one that lives. */
			if
			:: lease == 0 -> lease = me
			:: lease != 0 && dead[lease] -> lease = me; POINT(3)
			:: lease != 0 && lease != me && !dead[lease] -> lease = me; POINT(4)
			fi
		};
		openBase();
		atomic { p = END(c, a, b, d); if :: p > floor -> skip :: else -> goto fold fi };
		ACQUIRE;
		atomic { POINT(5); release(p) };
		lock = 0;
fold:		atomic {
			r = head;
			if :: r == p -> goto leave :: else -> skip fi
		};
		/* Records are copied, and may have been overwritten: then it is lapped. */
		atomic { if :: tail > p -> POINT(6); goto leave :: else -> skip fi };
		atomic {
			if
			:: files < FILES && c < MAXLAYERS -> make(p, r)
			:: files < FILES && c == MAXLAYERS ->
				/* absorb: together with the newest one, in its place. */
				old = (c == 3 -> d : b); make(from[old], r); POINT(7)
			:: files == FILES -> goto leave
			fi
		};
push:		atomic {
			if
			:: old != 0 && c == 3 -> d = new
			:: old != 0 && c == 2 -> b = new
			:: old == 0 ->
				if :: c == 0 -> a = new :: c == 1 -> b = new :: c == 2 -> d = new fi;
				c++
			fi
		};
#ifndef NO_LOCK
		ACQUIRE;
#endif
#ifdef FLOOR_FIRST
		atomic { if :: sequence == q -> release(r) :: else -> skip fi };
#endif
		publish();
#ifdef RELEASE_UNLOCKED
#ifndef NO_LOCK
		lock = 0;
#endif
		if :: ok -> y = floor; if :: r > y -> atomic { floor = r; y = 0; I235() } :: else -> y = 0 fi :: else -> skip fi;
#else
		if :: ok -> atomic { release(r) } :: else -> skip fi;
#ifndef NO_LOCK
		lock = 0;
#endif
#endif
		if
		:: ok ->
			if
			:: old != 0 -> atomic { exists[old] = 0; I235() }       /* retire */
			:: else -> skip
			fi
		:: else ->
			/* Refused: once more if only layers beneath were merged. */
			if :: old != 0 -> goto refused :: else -> skip fi;
			read();
			atomic {
				if
				:: END(c, a, b, d) == p && c < MAXLAYERS -> POINT(8); goto push
				:: else -> skip
				fi
			};
refused:		atomic { exists[new] = 0; I235(); POINT(9) }            /* discard */
		fi;
leave:		atomic { if :: lease == me -> lease = 0 :: else -> skip fi };
		goto next;
out:		atomic { working--; n = 0 }
	} unless {
		atomic {
			killed[me] ->
			q = 0; c = 0; a = 0; b = 0; d = 0; p = 0; r = 0; new = 0; old = 0; ok = 0;
			n = 0; x = 0; y = 0; z = 0;
			dead[me] = 1; working--
		}
	}
}

proctype Merger(byte me) {
	byte q, c, a, b, d, new, first, second, n, x, y;
	int z;
	bit ok;
	{
		skip;
next:		atomic {
			q = 0; c = 0; a = 0; b = 0; d = 0; new = 0; first = 0; second = 0; ok = 0;
			if :: n == MERGES -> goto out :: else -> n++ fi
		};
		openBase();
		atomic {
			if
			:: c >= 2 && files < FILES -> first = a; second = b
			:: c == 3 && files < FILES -> first = b; second = d
			:: true -> goto next                    /* nothing due */
			fi;
			make(from[first], to[second])
		};
#ifdef RETIRE_EARLY
		atomic { exists[first] = 0; exists[second] = 0; I235() };
#endif
#ifdef MERGE_BLINDLY
		/* The list that was merged, under whatever number is in force. */
		atomic {
			if
			:: first == a -> a = new; b = d; d = 0; c--
			:: first == b -> b = new; d = 0; c--
			fi
		};
		atomic { q = sequence };
#else
again:		read();
		atomic {                                        /* List.Replace */
			if
			:: c >= 2 && a == first && b == second -> a = new; b = d; d = 0; c--
			:: c == 3 && b == first && d == second -> b = new; d = 0; c--
			:: else -> exists[new] = 0; POINT(10); goto next
			fi
		};
#endif
		ACQUIRE;
		publish();
		lock = 0;
		if
		:: ok ->
			/* retire */
			atomic { exists[first] = 0; I235(); POINT(11) };
			atomic { exists[second] = 0; I235() }
		:: else ->
#ifndef MERGE_BLINDLY
			goto again
#endif
			skip
		fi;
		goto next;
out:		atomic { working--; n = 0 }
	} unless {
		atomic {
			killed[me] ->
			q = 0; c = 0; a = 0; b = 0; d = 0; new = 0; first = 0; second = 0; ok = 0;
			n = 0; x = 0; y = 0; z = 0;
			dead[me] = 1; working--
		}
	}
}

/* A newcomer. */
proctype Opener() {
	byte q, c, a, b, d, n, at = FIRST;
	int z;
	do
	:: n < OPENS ->
		openBase();
		atomic {
			assert(END(c, a, b, d) >= at);                  /* I3 */
			at = END(c, a, b, d);
			q = 0; c = 0; a = 0; b = 0; d = 0; n++
		}
	:: else -> break
	od
}

/* Who appends and overwrites. */
proctype Writer() {
	do
	:: atomic { head < LAST && (lock == 0 || dead[lock]) -> head++ }
	:: atomic { tail < floor && (lock == 0 || dead[lock]) -> tail = floor }
	:: atomic { working == 0 -> break }
	od
}

proctype Killer() {
	byte who;
	do
	:: deaths < DEATHS ->
		atomic {
			select (who : 1 .. MERGER);
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
	atomic {
		working = FOLDERS;
		run Folder(1);
#if FOLDERS > 1
		run Folder(2);
#endif
#if MERGES > 0
		working++;
		run Merger(MERGER);
#endif
#if OPENS > 0
		run Opener();
#endif
		run Writer();
#if DEATHS > 0
		run Killer()
#endif
	}
}
