// Package dateformat parses and prints dates as OpenSearch does: its named formats
// (strict_date_optional_time, epoch_millis, …), patterns of Java's DateTimeFormatter, several of them
// joined by "||", date math such as now-1d/d, and rounding to calendar units.
//
// A Formatter is immutable and safe for concurrent use. Times are time.Time; a format that says nothing
// of a zone is taken in the zone that the caller gives.
package dateformat
