// Package settings holds settings as OpenSearch does: a flat map from dotted names to strings or
// lists of strings.
//
// [Settings] is the map, read from nested or flat JSON and rendered either way. The values are text;
// Bytes, Duration, Bool and so on interpret it with OpenSearch's rules and error texts. [Registry]
// knows which settings exist, their types, bounds and defaults ([Index] and [Cluster] hold those of
// OpenSearch 2.19), and validates creations and updates.
//
// Secrets do not belong into settings: see [IsSecret].
package settings
