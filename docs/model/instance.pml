/*
 * Creating, attaching, removing: internal/core/open.go open, create, attach,
 * remove, finishRemoval; internal/shm/instance.go Make, Publish, Retire, Sweep;
 * internal/shm/rootlock.go; stream.go End.
 *
 * OPENERS processes open one name, creating it if need be, and write a record;
 * REMOVERS processes remove it. Each does so ROUNDS times. A kill may come before
 * every step. The root's flock falls with its holder.
 */
#ifndef OPENERS
#define OPENERS 2
#endif
#ifndef REMOVERS
#define REMOVERS 1
#endif
#ifndef ROUNDS
#define ROUNDS 1
#endif
#ifndef DEATHS
#define DEATHS 2
#endif
#ifndef INSTANCES
#define INSTANCES 4
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
#define ALL (OPENERS + REMOVERS)

byte name;                       /* the instance whose directory bears the name, 0 none */
bit dotted[INSTANCES + 1];       /* its directory is .<name>.<instance> */
bit control[INSTANCES + 1], ring[INSTANCES + 1];    /* its files */
bit ended[INSTANCES + 1];        /* bit 63 of its head */
bit written[INSTANCES + 1];      /* ghost: a write was acknowledged */
bit published[INSTANCES + 1];    /* ghost */
byte maker[INSTANCES + 1];       /* ghost: who makes it, 0 once published */
byte instances;

byte flock;
bit killed[ALL + 1];
bit dead[ALL + 1];
byte deaths, working = ALL;

/* Nothing that was acknowledged is lost: what is published keeps its name and
 * its files until its stream has ended. */
inline whole() {
	d_step {
		for (x : 1 .. INSTANCES) {
			assert(!published[x] || ended[x] || (name == x && control[x] && ring[x]));
			assert(maker[x] == 0 || dead[maker[x]] || killed[maker[x]] || dotted[x] || published[x])
		}
		x = 0
	}
}

inline lock() {
#ifndef NO_FLOCK
	atomic {
		if
		:: flock == 0 -> flock = me
		:: flock != 0 && dead[flock] -> flock = me; POINT(1)
		fi
	}
#else
	skip
#endif
}

inline unlock() { if :: flock == me -> flock = 0 :: else -> skip fi }

/* attach: the directory, its control segment, the end bit, the first chunk. i
 * is the instance, 0 if there is none; gone says that it is removed. */
inline attach() {
	atomic { i = name; gone = 0 };
	if
	:: i != 0 ->
		if
		:: atomic { control[i] -> skip };
		   atomic { gone = ended[i] }
		:: atomic { !control[i] -> i = 0; POINT(2) }
		fi;
		if
		:: i != 0 && !gone ->
			/* An instance is born whole: what is missing was removed. */
			atomic { assert(ring[i] || ended[i]); gone = !ring[i] }
		:: else -> skip
		fi
	:: else -> skip
	fi
}

/* Root.removeDir of a dotted directory. */
inline removeDir(d) {
	atomic { control[d] = 0; whole() };
	atomic { ring[d] = 0; whole() };
	atomic { dotted[d] = 0; whole() }
}

inline sweep() {
	d = 1;
	do
	:: d <= INSTANCES ->
		if
		:: atomic { dotted[d] -> POINT(3) }; removeDir(d)
		:: atomic { !dotted[d] }
		fi;
		d++
	:: else -> d = 0; break
	od
}

inline finishRemoval() {
	d = name;
	if
	:: d != 0 ->
#ifdef END_AFTER_RENAME
		atomic { dotted[d] = 1; name = 0; whole() };
#endif
#ifndef NO_END
		if
		:: atomic { control[d] -> ended[d] = 1 }
		:: atomic { !control[d] }
		fi;
#endif
#ifndef END_AFTER_RENAME
		/* Root.Retire: only if the name still means this directory. */
		atomic { if :: name == d -> dotted[d] = 1; name = 0; whole() :: else -> skip fi };
#endif
		removeDir(d);
		POINT(4)
	:: else -> skip
	fi;
	d = 0
}

inline create() {
	atomic {
		instances++; i = instances;
#ifdef CREATE_IN_PLACE
		name = i; published[i] = 1
#else
		dotted[i] = 1; maker[i] = me
#endif
	};
	atomic { ring[i] = 1; whole() };
	atomic { control[i] = 1; whole() };
#ifndef CREATE_IN_PLACE
	/* Root.Publish: by one rename, which a name that is taken refuses. */
	atomic {
		assert(name == 0);
		assert(dotted[i]);
		dotted[i] = 0; name = i; published[i] = 1; maker[i] = 0; whole()
	};
#endif
	i = 0
}

proctype Opener(byte me) {
	byte i, d, x, n;
	bit gone;
	{
		skip;
next:		atomic { if :: n == ROUNDS -> goto out :: else -> n++ fi };
		attach();
		if :: i != 0 && !gone -> goto write :: else -> skip fi;
		lock();
#ifndef ATTACH_ONCE
		attach();
		if
		:: i != 0 && !gone -> atomic { unlock() }; goto write
		:: else -> skip
		fi;
#endif
		if
		:: gone -> POINT(5); finishRemoval()
		:: else -> skip
		fi;
		sweep();
		if :: instances == INSTANCES -> atomic { unlock() }; goto out :: else -> skip fi;
		create();
		attach();
		atomic { unlock() };
		if :: i == 0 || gone -> goto next :: else -> skip fi;
write:		atomic {                                        /* Append: the CAS of head */
			if
			:: !ended[i] -> written[i] = 1; whole()
			:: else -> POINT(6)                     /* ErrRemoved */
			fi;
			i = 0; gone = 0
		};
		goto next;
out:		atomic { working--; i = 0; n = 0; gone = 0 }
	} unless {
		atomic { killed[me] -> dead[me] = 1; working--; i = 0; d = 0; x = 0; n = 0; gone = 0 }
	}
}

proctype Remover(byte me) {
	byte d, x, n;
	{
		do
		:: n == ROUNDS -> break
		:: else ->
			n++;
			lock();
			sweep();
			finishRemoval();
			atomic { unlock() }
		od;
		atomic { working--; n = 0 }
	} unless {
		atomic { killed[me] -> dead[me] = 1; working--; d = 0; x = 0; n = 0 }
	}
}

proctype Killer() {
	byte who;
	do
	:: deaths < DEATHS ->
		atomic {
			select (who : 1 .. ALL);
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
	byte p;
	atomic {
		for (p : 1 .. OPENERS) { run Opener(p) }
		for (p : OPENERS + 1 .. ALL) { run Remover(p) }
#if DEATHS > 0
		run Killer();
#endif
		p = 0
	}
}
