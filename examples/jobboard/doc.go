// Jobboard has worker processes take jobs from a board that they share, while some of
// them are killed in the middle of their work.
//
//	go run ./examples/jobboard
//
// The program puts jobs on the board, a dictionary from names to jobs, and starts
// workers: itself, once more each. A worker takes the lock with the name of a job, does
// the job, writes the result on the board, and gives the lock back. The program kills a
// worker now and then: whoever takes the lock next is told that its holder has died
// with it, and does the job again. In the end every job is done, every result was
// checked, and no two workers have ever been at the same job at the same time.
//
// A job is to find a number that, hashed together with the job's name, gives a hash
// with many leading zeros.
package main
