/*
 * Publishing and waking: internal/bell/bell.go, Stream.Wait and Stream.End in
 * stream/stream.go, steps 6 to 8 of commit in internal/core/commit.go.
 *
 * WRITERS processes take the lock, move head, unlock and ring; SLEEPERS
 * processes wait for news, one step after the other. With END somebody removes
 * the dictionary meanwhile: it sets the end bit without the lock, and rings. A
 * kill may come before every step. The lock is taken from a dead owner in one
 * step here, see lock.pml for why it may be, and the new owner rings for it.
 *
 * A sleep ends by a ring or, once somebody has died, by its timeout. So a ring
 * that is lost among living processes is a deadlock.
 */
#ifndef WRITERS
#define WRITERS 2
#endif
#ifndef SLEEPERS
#define SLEEPERS 2
#endif
#ifndef RECORDS
#define RECORDS 2                /* of each writer */
#endif
#ifndef DEATHS
#define DEATHS 2
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

#define NW WRITERS
#define ALL (WRITERS + SLEEPERS)
#define ENDED 128

byte head;                       /* Header.head, counted in records */
byte lock;                       /* its owner; 0 free */
bit raised;                      /* Word.state: bit 0 */
byte count;                      /*             the rest: rings that woke somebody */
bit asleep[ALL + 1];
bit killed[ALL + 1];
bit dead[ALL + 1];
bit finished[ALL + 1];
byte seen[ALL + 1];              /* ghost: where a sleeper stands */
byte writing = WRITERS;          /* ghost: writers that are not done, or dead */
bit ending;
byte deaths;

inline wakeAll() {
	for (i : 1 .. ALL) { asleep[i] = 0 }
	i = 0
}

/* Word.Ring: a load, a CAS, a system call. */
inline ring() {
	do
#ifdef SWAP_WITHOUT_COUNT
	/* The flag alone: a swap to 0. */
	:: atomic { if :: raised -> raised = 0 :: else -> break fi };
	   atomic { wakeAll(); break }
#else
	:: atomic { if :: raised -> c = count :: else -> break fi };
#ifdef LOWER_AFTER_WAKE
	   atomic { wakeAll() };
	   atomic { raised = 0; count++; c = 0; break }
#else
	   atomic {
		if
		:: raised && count == c -> raised = 0; count++; c = 0
		:: else -> c = 0; POINT(1); break               /* somebody else rang */
		fi
	   };
	   atomic { wakeAll(); break }
#endif
#endif
	od
}

proctype Writer(byte me) {
	byte i, c, n, h;
	{
		skip;
next:		/* A lock that is taken over from the dead comes with a ring. */
		atomic {
			if
			:: n == RECORDS -> goto out
			:: n < RECORDS && lock == 0 -> lock = me; n++; goto locked
			:: n < RECORDS && lock != 0 && dead[lock] -> lock = me; n++; POINT(2)
			fi
		};
		ring();
locked:		atomic {                                        /* Reserve */
			h = head;
			if :: h >= ENDED -> lock = 0; h = 0; goto out :: else -> skip fi
		};
#ifdef RING_BEFORE_HEAD
		ring();
#endif
		atomic {                                        /* Append: the CAS */
			if
			:: head == h -> head = h + 1; h = 0
			:: else -> lock = 0; h = 0; goto out
			fi
		};
		lock = 0;
#ifndef RING_BEFORE_HEAD
		ring();
#endif
		goto next;
out:		atomic { finished[me] = 1; writing--; n = 0 }
	} unless {
		atomic {
			killed[me] ->
			dead[me] = 1; finished[me] = 1; writing--;
			i = 0; c = 0; n = 0; h = 0
		}
	}
}

/* A sleeper wants every record, and the end; when all writers are done it is
 * content with what it has seen. */
#define NEWS (head != seen[me])

proctype Sleeper(byte me) {
	byte c;
	{
		skip;
again:		atomic {
			if
			:: !NEWS && writing == 0 && !ending -> goto out
			:: NEWS -> seen[me] = head; if :: seen[me] >= ENDED -> goto out :: else -> goto again fi
			:: !NEWS && (writing > 0 || ending) -> skip
			fi
		};
		/* Word.Sleep */
#ifdef LOOK_BEFORE_RAISING
		atomic { if :: NEWS -> goto again :: else -> skip fi };
#endif
		atomic { raised = 1; c = count };
#ifndef LOOK_BEFORE_RAISING
		atomic { if :: NEWS -> c = 0; goto again :: else -> skip fi };
#endif
		atomic {                                        /* futex.Wait */
			if
#ifdef SWAP_WITHOUT_COUNT
			:: raised -> asleep[me] = 1; c = 0
#else
			:: raised && count == c -> asleep[me] = 1; c = 0
#endif
			:: else -> c = 0; goto again
			fi
		};
		atomic {
			if
			:: !asleep[me]
			:: asleep[me] && deaths > 0 -> asleep[me] = 0
			/* The end of the model is none of the protocol: nothing comes any more. */
			:: asleep[me] && writing == 0 && !ending && !NEWS -> asleep[me] = 0
			fi;
			goto again
		};
out:		atomic { finished[me] = 1; seen[me] = 0 }
	} unless {
		atomic {
			killed[me] ->
			asleep[me] = 0; dead[me] = 1; finished[me] = 1; c = 0; seen[me] = 0
		}
	}
}

#ifdef END
proctype Remover() {
	byte i, c;
	head = head | ENDED;             /* one atomic OR */
	ring();
	ending = 0
}
#endif

proctype Killer() {
	byte who;
	do
	:: deaths < DEATHS ->
		atomic {
			select (who : 1 .. ALL);
			if
			:: !killed[who] && !finished[who] -> killed[who] = 1; deaths++
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
		for (i : 1 .. WRITERS) { run Writer(i) }
		for (i : WRITERS + 1 .. ALL) { run Sleeper(i) }
#ifdef END
		ending = 1;
		run Remover();
#endif
#if DEATHS > 0
		run Killer();
#endif
		i = 0
	}
}

#ifdef LIVE
/* No live sleeper sleeps for ever. */
ltl live { <> (finished[1] && finished[2] && finished[ALL]) }
#endif
