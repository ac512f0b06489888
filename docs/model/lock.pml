/*
 * The lock between processes: locks/mutex.go, locks/wait.go, locks/word.go.
 *
 * N processes lock and unlock the word ROUNDS times. A kill may come before
 * every step (the unless clause), at most DEATHS times. A sleep ends by a
 * wake-up; by its timeout at any time once somebody has died, and before that
 * only TIMEOUTS times: so a wake-up that is lost among living processes is a
 * deadlock, which spin reports as an invalid end state.
 *
 * With CLOSE the handle of process N is closed by another goroutine, and leaves,
 * while its goroutine goes on trying.
 */
#ifndef N
#define N 3
#endif
#ifndef ROUNDS
#define ROUNDS 1
#endif
#ifndef DEATHS
#define DEATHS 2
#endif
#ifndef TIMEOUTS
#define TIMEOUTS 1
#endif
#ifndef GIVEUPS
#define GIVEUPS 1
#endif

#define W 16                     /* the waiters bit */
#define OWNER(s) ((s) & 15)

#define ALIVE 0
#define DYING 1                  /* executes nothing any more */
#define DEAD 2                   /* and its byte is free */

byte state;                      /* Word.state */
bit claimed;                     /* Word.claim: somebody asked in this period */
byte life[N + 1];                /* what the kernel knows of a process */
bit left[N + 1];                 /* a handle that was closed: its byte is free too */
bit closed[N + 1];               /* Mutex.closed */
bit asleep[N + 1];               /* in the kernel's queue of the futex */
bit inside[N + 1];               /* ghost: believes that it has the lock */
bit finished[N + 1];             /* ghost: needs nothing any more */
byte deaths, timeouts, giveups;
bit takenOver;                   /* ghost: there was a takeover */

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

inline wake() {                  /* futex.Wake(1): whichever the kernel picks */
	if
	:: asleep[1] -> asleep[1] = 0
	:: asleep[2] -> asleep[2] = 0
#if N > 2
	:: asleep[3] -> asleep[3] = 0
#endif
	:: else -> skip
	fi
}

/* Each atomic is one access to shared memory or one system call, and what the
 * process decides by itself upon it. */

/* Mutex.letGo: frees the word if it is ours; ok says whether somebody waits. */
inline letGo() {
	do
	:: atomic { s = state; if :: OWNER(s) != me -> ok = 0; s = 0; break :: else -> skip fi }
	   atomic {
		if
		:: state == s -> state = 0; ok = (s >= W); s = 0; break
		:: else -> skip
		fi
	   }
	od
}

inline wakeIfOk() {
	atomic { if :: ok -> wake(); ok = 0 :: else -> skip fi }
}

inline passOn() {                /* for a waiter that gives up */
	do
	:: atomic {
		POINT(3);
		s = state;
		if
		:: s == 0 -> skip
		:: s >= W -> s = 0; break
		:: else -> skip
		fi
	   }
	   atomic {
		if
		:: s == 0 -> wake(); break
		:: s != 0 && state == s -> state = s | W; s = 0; break
		:: else -> skip
		fi
	   }
	od
}

proctype P(byte me) {
	byte s, own, word, round, i;
	bit slept, ok, last;
	{
		skip;
next:		if
		:: round == ROUNDS -> goto out
		:: else -> round++; word = me
		fi;
		/* Mutex.Lock: TryLock, then compete; both begin with a take. */
compete:
#ifdef CLOSED_LOOK_FIRST
		atomic { if :: closed[me] -> goto isClosed :: else -> skip fi };
#endif
		atomic {
			if :: state == 0 -> state = word; inside[me] = 1 :: else -> skip fi;
			if
#if defined(CLOSE) && !defined(CLOSED_LOOK_FIRST)
			:: inside[me] -> inside[me] = 0
#else
			:: inside[me] -> goto critical
#endif
			:: else -> goto notTaken
			fi
		};
#ifdef CLOSE
		/* Mutex.take: out again if the handle was closed. */
		atomic { if :: closed[me] -> skip :: else -> inside[me] = 1; goto critical fi };
		letGo();
#ifndef CLOSE_DROPS_WAKE
		wakeIfOk();
#endif
#endif
notTaken:
#ifdef CLOSE
		atomic { if :: closed[me] -> goto isClosed :: else -> skip fi };
#endif
		atomic {                                    /* the time is up, or not */
			if
			:: giveups < GIVEUPS -> giveups++; last = 1
			:: skip
			fi;
			if :: slept || last -> skip :: else -> goto announce fi
		};
		/* Mutex.takeOver */
		atomic {
			own = OWNER(state);
			if
			:: own == 0 || own == me -> own = 0; goto notDead
			:: else -> skip
			fi
		};
		atomic {                                    /* Word.claimProbe */
			if
			:: claimed -> own = 0; goto notDead
			:: else -> claimed = 1
			fi
		};
		atomic {                                    /* Peers.Dead, Peers.Dying */
			if
			:: life[own] == DEAD || left[own] -> skip
			:: life[own] == DYING -> skip
			:: life[own] == DYING -> own = 0; goto notDead  /* not to be told */
			:: life[own] == ALIVE && !left[own] ->
#ifdef ROB_THE_STOPPED
				skip
#else
				own = 0; goto notDead
#endif
			fi
		};
		do
		:: atomic {
			s = state;
			if :: OWNER(s) != own -> s = 0; own = 0; goto notDead :: else -> skip fi
		   };
		   atomic {
			if
#ifdef TAKEOVER_BY_STORE
			:: true ->
#else
			:: state == s ->
#endif
				/* A live owner, be it stopped, is never robbed. */
				assert(life[own] != ALIVE || (left[own] && !inside[own]));
				state = me | W; inside[me] = 1;
				POINT(1);
				if :: takenOver -> POINT(2) :: else -> takenOver = 1 fi;
				s = 0; own = 0; goto critical
			:: else -> skip
			fi
		   }
		od;
notDead:	if
		:: last && !slept -> goto again
		:: last && slept ->
#ifndef NO_PASS_ON
			passOn();
#endif
			goto again
		:: else -> skip
		fi;
announce:	atomic {
			s = state;
			if
			:: OWNER(s) == 0 -> s = 0; goto compete
			:: else -> skip
			fi
		};
		atomic {
			if
			:: s >= W -> skip
			:: s < W && state == s -> s = s | W; state = s
			:: else -> s = 0; goto compete
			fi;
			slept = 1;
#ifndef TAKE_WITHOUT_BIT
			word = me | W
#endif
		};
		/* futex.Wait: comparing and going to sleep are one step. */
		atomic {
			if :: state == s -> asleep[me] = 1; s = 0 :: else -> s = 0; goto compete fi
		};
		atomic {
			if
			:: !asleep[me] -> skip
			:: asleep[me] && deaths > 0 -> asleep[me] = 0; claimed = 0
			:: asleep[me] && deaths == 0 && timeouts < TIMEOUTS ->
				timeouts++; asleep[me] = 0; claimed = 0
			fi;
			goto compete
		};
isClosed:	if :: slept -> passOn() :: else -> skip fi;
		goto out;

critical:	atomic {
			/* Mutual exclusion, among those who still execute something. */
			for (i : 1 .. N) {
				assert(i == me || !inside[i] || life[i] != ALIVE)
			}
			i = 0; slept = 0; word = 0
		}
		inside[me] = 0;
		/* Mutex.Unlock */
#ifdef UNLOCK_BY_STORE
		atomic { ok = (state >= W) };
		state = 0;
#else
		atomic { if :: state == me -> state = 0; goto again :: else -> skip fi };
		letGo();
#endif
		wakeIfOk();
again:		atomic { slept = 0; last = 0; word = 0 };
		goto next;
out:		atomic { finished[me] = 1; word = 0; slept = 0; last = 0 }
	} unless {
		atomic {
			life[me] == DYING ->
			asleep[me] = 0; inside[me] = 0; finished[me] = 1;
			s = 0; own = 0; word = 0; slept = 0; ok = 0; last = 0; round = 0
		}
	}
	/* The kernel gets round to the byte. */
	if
	:: life[me] == DYING -> life[me] = DEAD
	:: life[me] == ALIVE -> skip
	fi
}

#ifdef CLOSE
/* Mutex.Close and then Peer.Leave, by another goroutine of process N. */
proctype Closer() {
	if
	:: closed[N] = 1
	:: life[N] != ALIVE -> goto out
	fi;
	OWNER(state) != N || life[N] != ALIVE;
	left[N] = 1;
out: skip
}
#endif

proctype Killer() {
	byte who;
	do
	:: deaths < DEATHS ->
		atomic {
			select (who : 1 .. N);
			if
			:: life[who] == ALIVE && !finished[who] -> life[who] = DYING; deaths++
			:: else -> skip
			fi;
			who = 0
		}
	:: break
	od
}

init {
	atomic {
		run P(1); run P(2);
#if N > 2
		run P(3);
#endif
#ifdef CLOSE
		run Closer();
#endif
#if DEATHS > 0
		run Killer()
#endif
	}
}

#ifdef LIVE
/* No live sleeper sleeps for ever: whoever is not killed gets done. */
#if N > 2
ltl live { <> (finished[1] && finished[2] && finished[3]) }
#else
ltl live { <> (finished[1] && finished[2]) }
#endif
#endif
