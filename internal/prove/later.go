package main

func million(r *run)                      {}
func latency(r *run)                      {}
func bounded(r *run)                      {}
func leaks(r *run)                        {}
func newcomerRole(string, []string) error { return nil }
func busyRole(string, []string) error     { return nil }
func sleeperRole(string, []string) error  { return nil }
