// Package faulty wraps a blob container with injected faults: requests that fail, are late, or whose
// answer is lost although they worked, writes that are forgotten or done twice, bytes that arrive
// short or changed, lists that lag behind, and a process that dies between two requests. A [Hook]
// decides for each request; [CrashAfter] and [Random] are ready-made ones.
package faulty
