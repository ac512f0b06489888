package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ultradict/go/ultradict"
)

func sampleSettings() map[string]Setting {
	return map[string]Setting{
		pushKey:            {Push: &Push{Number: 7, At: 1}},
		limitsKey:          {Limits: &Limits{Connections: 30}},
		"backend/b1":       {Backend: &Backend{Address: "a", Weight: 60, Connections: 10}},
		"backend/b2":       {Backend: &Backend{Address: "b", Weight: 40, Connections: 20}},
		routePrefix + "/":  {Any: map[string]any{"to": "b1"}},
		routePrefix + "/a": {Any: map[string]any{"to": "b2", "more": []any{1}}},
		servingKey:         {Any: true},
		shutdownKey:        {Any: false},
	}
}

func TestCompile(t *testing.T) {
	c, err := compile(sampleSettings())
	require.NoError(t, err)
	require.Equal(t, &Config{
		Push:     Push{Number: 7, At: 1},
		Limits:   Limits{Connections: 30},
		Backends: map[string]Backend{"b1": {"a", 60, 10}, "b2": {"b", 40, 20}},
		Routes:   map[string]string{"/": "b1", "/a": "b2"},
		Serving:  true,
	}, c)
	for want, change := range map[string]func(s map[string]Setting){
		"no push":             func(s map[string]Setting) { delete(s, pushKey) },
		"weights make 101":    func(s map[string]Setting) { s["backend/b1"].Backend.Weight++ },
		"the limit is 29":     func(s map[string]Setting) { s[limitsKey].Limits.Connections-- },
		"the limit is 0":      func(s map[string]Setting) { delete(s, limitsKey) },
		"b3, which does not":  func(s map[string]Setting) { s[routePrefix+"/"] = Setting{Any: map[string]any{"to": "b3"}} },
		"route//: {":          func(s map[string]Setting) { s[routePrefix+"/"] = Setting{Any: "b1"} },
		"serving: {":          func(s map[string]Setting) { s[servingKey] = Setting{Any: 1} },
		"shutdown: {":         func(s map[string]Setting) { s[shutdownKey] = Setting{} },
		"backend/b1: {":       func(s map[string]Setting) { s["backend/b1"] = Setting{Any: 1} },
		"what: {":             func(s map[string]Setting) { s["what"] = Setting{Any: 1} },
		"which does not exis": func(s map[string]Setting) { s["backend/b3"] = s["backend/b2"]; delete(s, "backend/b2") },
	} {
		s := sampleSettings()
		change(s)
		_, err := compile(s)
		require.ErrorContains(t, err, want)
	}
}

// event is one that a worker gets.
type event = ultradict.Event[string, Setting]

func put(key string, s Setting, more bool) event {
	return event{Kind: ultradict.EventPut, Key: key, Value: s, Revision: 9, More: more}
}

func TestWorkerPutsWholeCommitsInForce(t *testing.T) {
	w := &worker{changed: make(chan struct{}, 1), draft: map[string]Setting{}}
	take := func(e event) bool {
		t.Helper()
		whole, err := w.take(e)
		require.NoError(t, err)
		return whole
	}
	for key, s := range sampleSettings() {
		require.False(t, take(put(key, s, false)), "the contents are not complete")
		require.Nil(t, w.config.Load())
	}
	require.True(t, take(event{Kind: ultradict.EventSynced, Revision: 8}))
	first := w.config.Load()
	require.EqualValues(t, 7, first.Push.Number)
	require.Zero(t, w.result.HalfWrong)

	require.False(t, take(put("backend/b1", Setting{Backend: &Backend{Address: "a", Weight: 100, Connections: 30}}, true)))
	require.False(t, take(event{Kind: ultradict.EventDelete, Key: "backend/b2", More: true}))
	require.Same(t, first, w.config.Load(), "half a change is not in force")
	require.False(t, take(put(routePrefix+"/a", Setting{Any: map[string]any{"to": "b1"}}, true)))
	require.True(t, take(put(pushKey, Setting{Push: &Push{Number: 8}}, false)))
	require.EqualValues(t, 8, w.config.Load().Push.Number)
	require.EqualValues(t, 2, w.result.HalfWrong)

	// A resync is taken like a commit.
	require.False(t, take(event{Kind: ultradict.EventResync}), "nothing to tell")
	require.False(t, take(event{Kind: ultradict.EventResync, More: true}))
	require.True(t, take(put(pushKey, Setting{Push: &Push{Number: 20}}, false)))
	require.False(t, take(event{Kind: ultradict.EventResync, More: true}))
	require.False(t, take(event{Kind: ultradict.EventClear, More: true}))
	settings := sampleSettings()
	delete(settings, pushKey)
	for key, s := range settings {
		require.False(t, take(put(key, s, true)))
	}
	require.True(t, take(put(pushKey, Setting{Push: &Push{Number: 30}}, false)))
	require.True(t, take(put(pushKey, Setting{Push: &Push{Number: 31}}, false)))
	var log []applied
	for _, a := range w.result.Log {
		log = append(log, applied{Number: a.Number, Resync: a.Resync})
	}
	require.Equal(t, []applied{{Number: 7, Resync: true}, {Number: 8}, {Number: 20, Resync: true}, {Number: 30, Resync: true}, {Number: 31}}, log)

	_, err := w.take(put(limitsKey, Setting{Limits: &Limits{}}, false))
	require.ErrorContains(t, err, "at revision 9, push &{Number:31")
	require.EqualValues(t, 31, w.config.Load().Push.Number)
}
