// Command sdk moves the files of a folder to a bucket or back with nothing but Amazon's SDK: its transfer manager, or for
// small files its plain requests, which are faster there. bench/s3 builds it and measures it beside blob/s3, in a process of its own:
// it is what a program comes to that does nothing else.
//
// It is a module of its own, so that the transfer manager is no dependency of the server. For that reason it shares no code with
// the worker of bench/s3, either.
package main
