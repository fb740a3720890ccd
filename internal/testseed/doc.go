// Package testseed gives the random tests of all packages their seed. Other code does not use it.
package testseed
