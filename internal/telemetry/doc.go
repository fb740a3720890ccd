// Package telemetry makes spans of what the server does and sends them to an OpenTelemetry collector, over OTLP/HTTP. It is off until a
// setting switches it on; off, it costs the look at one pointer. A nil *Tracer is one that is always off.
//
// Work that outlives the request that asked for it, such as a snapshot, is a job: its record in the cluster state holds a token
// from [Tracer.NewJob], from which any process goes on with the trace, and whichever finishes the job sends the job's span.
package telemetry
