// Package xcontent is JSON whose objects keep the order of their keys: answers are built of it, and
// what a user wrote is kept with it as it stood.
package xcontent
