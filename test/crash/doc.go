// Package crash kills the server at random moments and looks whether anything that it promised is lost:
// every acknowledged write is there with its last content, every snapshot that was reported successful restores, the
// repository is whole, and after a clean-up nothing is left that no snapshot needs.
package crash
