// Package osstest is a server for tests that speaks Alibaba Cloud OSS's protocol as far as snapshot repositories need it, and
// refuses requests whose signature is wrong. It keeps everything in memory.
package osstest
