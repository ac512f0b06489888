/*
 * Append, entering a chunk, lapping: stream/writer.go reserve, enter, advance,
 * Append, Release; stream/reader.go Next, fill, passed, damaged; stream.go load;
 * internal/core/commit.go makeRoom; internal/core/apply.go reload.
 *
 * A ring of SEGMENTS chunks that does not grow (growth.pml has that), with three
 * words a chunk: frame, payload, and a word that is too short for a further
 * record, so that every record but the first is led by padding and enters a
 * chunk. Record r stands in chunk r. WRITERS processes append RECORDS records in
 * all, one process follows them. A kill may come before every store.
 *
 * The lock is one step here (lock.pml), and so is the publication of a layer
 * (layers.pml); both with deaths in between.
 *
 * Memory order. Without ARM every store and load happens in program order.
 * With ARM, as arm64 allows for what the Go compiler emits:
 *   - plain stores (frame, payload, padding) happen in any order;
 *   - atomic stores (STLR) happen in order, and not before what stands before
 *     them, but plain stores that stand behind them may overtake them, unless
 *     an atomic load (LDAR) stands in between;
 *   - CAS (CASAL) is a full barrier;
 *   - plain loads happen in any order, not before an atomic load that stands
 *     before them, but after a later one unless a store and a load, both
 *     atomic, stand in between: the fence.
 * What a process that is killed had executed still happens, in that order.
 */
#ifndef SEGMENTS
#define SEGMENTS 2
#endif
#ifndef WRITERS
#define WRITERS 2
#endif
#ifndef RECORDS
#define RECORDS 4
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

#define CHUNK 3
#define TABLE (SEGMENTS + 1)     /* MaxChunks: more than the ring may have */
#define FIRST CHUNK              /* the first position */
#define ENDED 64
#define SLOT(n) ((n) % TABLE)

/* What stands in memory. A payload is told by its attempt a, 1 to 15; the frame
 * has a checksum of position and payload. */
#define FRAME(pos, a) (((pos) << 4) | (a))
#define PADDING(pos) (((pos) << 4) | 15)

byte head = FIRST, tail = FIRST, floor = FIRST;
byte number[TABLE], segment[TABLE];
short mem[SEGMENTS * CHUNK];

byte layer = FIRST;              /* end of the newest listed layer */
byte lock;                       /* owner, 0 free */
bit killed[WRITERS + 1];
bit dead[WRITERS + 1];
bit finished[WRITERS + 1];

byte record[RECORDS + 2];        /* ghost: attempt that was published as record r */
byte attempt;                    /* ghost */
byte deaths;
bit ended;                       /* ghost: End returned */

/* I1: what lies in [tail, head) is whole. I2: tail <= layer <= head. */
inline I1() {
#ifndef NO_I1
	d_step {
		assert(tail <= floor && floor <= layer && layer <= (head & 63));
		for (x : 1 .. RECORDS) {
			if
			:: x * CHUNK >= tail && x * CHUNK < (head & 63) ->
				assert(number[SLOT(x)] == x + 1);
				assert(mem[segment[SLOT(x)] * CHUNK] == FRAME(x * CHUNK, record[x]));
				assert(mem[segment[SLOT(x)] * CHUNK + 1] == record[x]);
				assert((head & 63) <= x * CHUNK + 2 ||
					mem[segment[SLOT(x)] * CHUNK + 2] == PADDING(x * CHUNK + 2))
			:: else -> skip
			fi
		}
		x = 0
	}
#else
	skip
#endif
}

/* The stores of one append, as bits of what is done. */
#define S_SEGMENT 1
#define S_NUMBER  2
#define S_TAIL    4
#define S_PAD     8
#define S_PAYLOAD 16
#define S_FRAME   32
#define S_ENTER   (S_SEGMENT | S_NUMBER | S_TAIL)
#define S_PLAIN   (S_PAD | S_PAYLOAD | S_FRAME)

#define DONE(b) ((done & (b)) == (b))

inline store(b) {
	if
	:: b == S_SEGMENT -> segment[SLOT(n)] = seg
	:: b == S_NUMBER  -> number[SLOT(n)] = n + 1
	:: b == S_TAIL    -> tail = (old + 1) * CHUNK; POINT(1)
	:: b == S_PAD     -> mem[pad * CHUNK + 2] = PADDING(h)
	:: b == S_PAYLOAD -> mem[seg * CHUNK + 1] = a
	:: b == S_FRAME   -> mem[seg * CHUNK] = FRAME(n * CHUNK, a)
	fi;
	done = done | b
}

/* May the store b happen next? */
#ifdef SEGMENT_AFTER_NUMBER
#define BEFORE_SEGMENT S_NUMBER
#define BEFORE_NUMBER 0
#define BEFORE_TAIL (S_SEGMENT | S_NUMBER)
#else
#define BEFORE_SEGMENT 0
#define BEFORE_NUMBER S_SEGMENT
#define BEFORE_TAIL (S_SEGMENT | S_NUMBER)
#endif

#if defined(TAIL_LATE)
#define BEFORE_PLAIN (S_SEGMENT | S_NUMBER)     /* program order, whatever the machine */
#elif defined(ARM) && defined(NO_LOAD_BACK)
#define BEFORE_PLAIN 0
#else
#define BEFORE_PLAIN S_ENTER
#endif

#ifdef ARM
#define BEFORE_PAD BEFORE_PLAIN
#define BEFORE_PAYLOAD BEFORE_PLAIN
#define BEFORE_FRAME BEFORE_PLAIN
#else
#define BEFORE_PAD BEFORE_PLAIN
#define BEFORE_PAYLOAD (BEFORE_PLAIN | S_PAD)
#define BEFORE_FRAME (BEFORE_PLAIN | S_PAD | S_PAYLOAD)
#endif

#ifdef TAIL_LATE
#undef BEFORE_TAIL
#define BEFORE_TAIL (S_SEGMENT | S_NUMBER | S_PLAIN)
#endif

#define MAY(b, before) (!DONE(b) && DONE(before))

proctype Writer(byte me) {
	byte h, n, seg, pad, old, a, done, x;
	bit taken;
	{
		skip;
		/* The lock: free, or its owner is dead. */
again:		atomic {
			if
			:: lock == 0 -> lock = me
			:: lock != 0 && dead[lock] -> lock = me; POINT(2)
			fi
		};
		/* Reserve: head and tail are loaded, and then the slots; nobody but the
		 * owner of the lock changes them. */
		atomic {
			h = head; n = h / CHUNK; done = 0;
			if
			:: h >= ENDED || n == RECORDS && h % CHUNK != 0 -> lock = 0; goto out
			:: else -> skip
			fi;
			if
			:: h % CHUNK != 0 -> pad = segment[SLOT(n)]; n++
			:: else -> done = S_PAD
			fi;
			/* enter chunk n */
			old = tail / CHUNK;
			taken = (number[SLOT(n)] == n + 1);
#ifdef RECYCLE_ABOVE_FLOOR
			if
			:: old < n && (n - old >= SEGMENTS) ->
#else
			if
			:: old < n && (old + 1) * CHUNK <= floor ->
#endif
				seg = segment[SLOT(old)];
				if
				:: taken && segment[SLOT(n)] == seg ->
					done = done | S_SEGMENT | S_NUMBER; POINT(3)
				:: taken && segment[SLOT(n)] != seg ->
					seg = segment[SLOT(n)]; done = done | S_ENTER
				:: else -> skip
				fi
			:: else ->
				if
				:: taken -> seg = segment[SLOT(n)]; done = done | S_ENTER
				:: else -> lock = 0; goto noRoom      /* ErrLimit */
				fi
			fi;
			attempt++; a = attempt
		};
#ifdef HEAD_EARLY
		atomic { head = n * CHUNK + 2; record[n] = a };
		I1();
#endif
		do
		:: atomic { MAY(S_SEGMENT, BEFORE_SEGMENT) -> store(S_SEGMENT); I1() }
		:: atomic { MAY(S_NUMBER, BEFORE_NUMBER)   -> store(S_NUMBER);  I1() }
		:: atomic { MAY(S_TAIL, BEFORE_TAIL)       -> store(S_TAIL);    I1() }
		:: atomic { MAY(S_PAD, BEFORE_PAD)         -> store(S_PAD);     I1() }
		:: atomic { MAY(S_PAYLOAD, BEFORE_PAYLOAD) -> store(S_PAYLOAD); I1() }
		:: atomic { MAY(S_FRAME, BEFORE_FRAME)     -> store(S_FRAME);   I1() }
		:: atomic { DONE(S_ENTER | S_PLAIN) -> break }
		od;
#ifndef HEAD_EARLY
		/* The record exists from here on. */
		atomic {
			if
#ifdef HEAD_BY_STORE
			:: true ->
#else
			:: head == h ->
#endif
				head = n * CHUNK + 2; record[n] = a; I1();
				assert(!ended)
			:: else -> POINT(4)
			fi;
			done = 0; seg = 0; pad = 0; old = 0; a = 0; taken = 0; h = 0; n = 0
		};
#endif
		atomic { lock = 0; goto again };

noRoom:		/* makeRoom: this writer folds, everything or a bite, and publishes. */
		atomic {
			if
			:: lock == 0 -> lock = me
			:: lock != 0 && dead[lock] -> lock = me
			fi
		};
#ifdef FLOOR_BEFORE_LAYER
		atomic { h = head & 63; floor = h };
		atomic { if :: layer < h -> layer = h :: else -> skip fi };
#else
		atomic {
			if
			:: layer < (head & 63) -> layer = head & 63
			:: (head & 63) - layer > CHUNK -> layer = layer + CHUNK     /* a bite */
			:: layer == (head & 63) -> skip
			fi
		};
		atomic { if :: floor < layer -> floor = layer :: else -> skip fi };
#endif
		atomic { lock = 0; h = 0; goto again };
out:		atomic { finished[me] = 1; h = 0; n = 0; old = 0; pad = 0; seg = 0; done = 0; taken = 0 }
	} unless {
		atomic {
			killed[me] ->
#ifdef ARM
			/* What was executed before a store that happened, happens as well. */
			do
			:: (done & S_PLAIN) && !DONE(S_SEGMENT) -> store(S_SEGMENT)
			:: (done & S_PLAIN) && DONE(S_SEGMENT) && !DONE(S_NUMBER) -> store(S_NUMBER)
			:: (done & S_PLAIN) && DONE(S_NUMBER) && !DONE(S_TAIL) -> store(S_TAIL)
			:: (done & (S_PAYLOAD | S_FRAME)) && !DONE(S_PAD) -> store(S_PAD)
			:: (done & S_FRAME) && !DONE(S_PAYLOAD) -> store(S_PAYLOAD)
			:: else -> break
			od;
#endif
			dead[me] = 1; finished[me] = 1;
			h = 0; n = 0; old = 0; pad = 0; seg = 0; done = 0; taken = 0; a = 0; x = 0
		}
	}
}

/* The loads of one fill, as bits of what is done. */
#define L_0 1
#define L_1 2
#define L_2 4
#define L_TAIL 8                 /* after the fence */
#define L_TAIL2 16               /* the look of damaged */
#define L_COPY (L_0 | L_1 | L_2)

#if defined(ARM) && defined(NO_FENCE)
#define TAIL_NEEDS 0             /* copies may be done after it */
#else
#define TAIL_NEEDS L_COPY
#endif
#ifdef ARM
#define NEEDS_1 0
#define NEEDS_2 0
#else
#define NEEDS_1 L_0
#define NEEDS_2 (L_0 | L_1)
#endif

proctype Reader() {
	byte pos = FIRST, limit, n, seg, done, t, t2, v;
	short b0, b1, b2;
again:	atomic {
		if
		:: (head & 63) > pos -> limit = head & 63; n = pos / CHUNK
		:: (head & 63) == pos && finished[1] && finished[WRITERS] -> goto out
		fi
	};
	/* Stream.load: number, then segment */
	atomic {
		if
		:: number[SLOT(n)] == n + 1 -> skip
		:: else -> goto damaged
		fi
	};
	atomic { seg = segment[SLOT(n)]; done = 0 };
	atomic {
		if :: pos % CHUNK != 0 -> done = L_0 | L_1 :: else -> skip fi;
		if :: limit <= n * CHUNK + 2 -> done = done | L_2 :: else -> skip fi
	};
	do
	:: atomic { MAY(L_0, 0)       -> b0 = mem[seg * CHUNK];     done = done | L_0 }
	:: atomic { MAY(L_1, NEEDS_1) -> b1 = mem[seg * CHUNK + 1]; done = done | L_1 }
	:: atomic { MAY(L_2, NEEDS_2) -> b2 = mem[seg * CHUNK + 2]; done = done | L_2 }
	:: atomic { MAY(L_TAIL, TAIL_NEEDS)  -> t = tail;  done = done | L_TAIL }
#if defined(ARM) && defined(NO_FENCE)
	/* Nothing keeps the second look from being early too. */
	:: atomic { MAY(L_TAIL2, L_TAIL) -> t2 = tail; done = done | L_TAIL2 }
	:: atomic { DONE(L_COPY | L_TAIL | L_TAIL2) -> break }
#else
	:: atomic { DONE(L_COPY | L_TAIL) -> break }
#endif
	od;
	atomic {
		done = 0;
#if !defined(NO_SECOND_LOOK) && !defined(NO_LOOK_IN_FILL)
		if :: t > pos -> t = 0; t2 = 0; goto lapped :: else -> skip fi;
#endif
		/* Frame and checksum. */
		t = 0;
		if
		:: pos % CHUNK == 0 ->
			v = b0 & 15;
			if
			:: b0 == FRAME(pos, v) && b1 == v && v != 15 ->
#ifndef NO_SECOND_LOOK
				/* I3: each record as it was published, in order. */
				assert(v == record[n]);
#endif
				v = 0; pos = pos + 2; POINT(5)
			:: else -> v = 0; goto damaged
			fi;
			/* The padding behind it may be in private memory already. */
			if
			:: limit > pos ->
				if
				:: b2 == PADDING(pos) -> pos++
				:: else -> goto damaged
				fi
			:: else -> skip
			fi
		:: else ->
			if
			:: b2 == PADDING(pos) -> pos++
			:: else -> goto damaged
			fi
		fi;
		b0 = 0; b1 = 0; b2 = 0; seg = 0; limit = 0; t2 = 0; n = 0;
		goto again
	};
damaged:	atomic {
		/* I4: it is damage only if tail has not passed the position. */
#ifdef NO_SECOND_LOOK
		assert(false);
#else
#if defined(ARM) && defined(NO_FENCE)
		if :: t2 == 0 -> t2 = tail :: else -> skip fi;
#else
		t2 = tail;
#endif
		assert(t2 > pos);
#endif
		POINT(6)
	};
lapped:	atomic {
		/* I2: reload finds a layer behind the position. */
		POINT(7);
		b0 = 0; b1 = 0; b2 = 0; seg = 0; t2 = 0; n = 0; limit = 0; done = 0;
		assert(layer > pos);
		pos = layer;
		/* Where a layer ends inside a chunk, padding comes next. */
		goto again
	};
out:	/* An acknowledged write is never lost: all that was published was seen. */
	assert(pos == (head & 63))
}

#ifdef END
/* Stream.End: by Remove, without the lock. */
proctype Remover() { atomic { head = head | ENDED; ended = 1 } }
#endif

proctype Killer() {
	byte who;
	do
	:: deaths < DEATHS ->
		atomic {
			select (who : 1 .. WRITERS);
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
		for (i : 1 .. SEGMENTS) {
			number[SLOT(i)] = i + 1;
			segment[SLOT(i)] = i - 1
		}
		for (i : 1 .. WRITERS) { run Writer(i) }
		run Reader();
#ifdef END
		run Remover();
#endif
#if DEATHS > 0
		run Killer();
#endif
		i = 0
	}
}
