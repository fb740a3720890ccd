// Package codectest helps the tests of formats: it opens the segments of a real index one by one, and
// writes an index again with some of its files replaced, for CheckIndex to judge. Only tests import it.
package codectest
