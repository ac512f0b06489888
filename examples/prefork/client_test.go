package main

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestWhetherASessionHasToBeThere(t *testing.T) {
	const ms, ttl = time.Millisecond, 100 * time.Millisecond
	fresh := func() *session {
		return &session{user: "u", by: 7, used: 10 * ms, answered: 30 * ms}
	}
	asked := func(sent, received time.Duration, status int) call {
		k := call{sent: sent, received: received, status: status, answer: answer{Worker: 8, User: "u", By: 7}}
		return k
	}
	for _, c := range []struct {
		sent, received time.Duration
		want           presence
	}{
		{40 * ms, 50 * ms, present},
		{40 * ms, 108 * ms, present},
		{40 * ms, 110 * ms, either}, // may have been late
		{120 * ms, 125 * ms, either},
		{130 * ms, 140 * ms, either},
		{132 * ms, 140 * ms, absent},
	} {
		s := fresh()
		require.Equal(t, c.want, s.must(asked(c.sent, c.received, http.StatusOK), ttl), c)
		err := s.see(asked(c.sent, c.received, http.StatusOK), ttl)
		if c.want == absent {
			require.ErrorContains(t, err, "finds a session of u that was not used for")
			require.Equal(t, fresh(), s)
		} else {
			require.NoError(t, err)
			require.Equal(t, c.sent, s.used, "it lives on")
			require.Equal(t, c.received, s.answered)
		}
		s = fresh()
		err = s.see(asked(c.sent, c.received, http.StatusUnauthorized), ttl)
		if c.want == present {
			require.ErrorContains(t, err, "worker 8 does not find a session of u, made by 7")
		} else {
			require.NoError(t, err)
		}
		require.Equal(t, fresh(), s, "it does not live on")
	}

	k := asked(40*ms, 50*ms, http.StatusTooManyRequests)
	require.NoError(t, fresh().see(k, ttl), "found, whatever else it was")
	k.answer.User = "other"
	require.ErrorContains(t, fresh().see(k, ttl), "takes a session of u for one of other")
}
