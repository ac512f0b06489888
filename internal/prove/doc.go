// Prove shows on the machine it runs on that the library's promises hold, with
// real processes and real kills, and with figures beside their goals:
//
//	go run ./internal/prove                  everything, some minutes
//	go run ./internal/prove -quick           the same, shorter
//	go run ./internal/prove -run 'kills|stop'
//
// It starts itself again for every further process it needs, in a role that
// the environment names:
//
//	prove ──┬── role "increment" ──┐
//	        ├── role "increment" ──┼── one dictionary in /dev/shm/ultradict-prove-…
//	        └── …                ──┘
//
// A figure without a goal is only told. The exit status is 1 where a goal was
// missed or something failed. Whatever it leaves in shared memory is removed
// at its end, also by Ctrl-C.
//
// Figures are only as good as the machine is idle: it prints the load average
// it found. Tests, which must not depend on that, assert no times at all.
package main
