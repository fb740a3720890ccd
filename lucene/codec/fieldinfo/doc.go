// Package fieldinfo reads and writes the .fnm files of a segment: what each field has, and the
// attributes that name its postings and doc-values formats.
//
// Read takes Lucene90FieldInfos (Lucene 9.0 to 9.3) and Lucene94FieldInfos of formats 0 and 1; Write
// writes Lucene94FieldInfos of format 1. The bytes are specified in docs/formats/fieldinfo.md. What
// Read returns has passed Validate.
package fieldinfo
