// Package task keeps track of long work: what runs, for whom, how far it is, and how to stop it.
//
// A [Registry] holds the tasks of one node. [Registry.Start] makes a [Task] and a context that is
// cancelled with it; [Registry.Go] runs a function as a task in a goroutine that Close waits for.
// Tasks have ids "node:number" and parents, also on other nodes. Progress is a set of named
// [Counter]s, which are atomic and may be used in hot loops. The last finished tasks are remembered
// with their result, a bounded number of them.
//
// A task that Start made must be finished, once, with Finish.
package task
