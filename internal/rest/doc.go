// Package rest is the HTTP API, with the paths, parameters, answers and errors of OpenSearch 2.19.
//
// Each API family is a file, and thin: it parses the request, calls the service that does the work, and
// renders the answer. Router finds the handler; Request hands out parameters and notes which were
// asked for, so that a parameter nobody knows is refused as OpenSearch refuses it; renderError gives
// every error OpenSearch's shape. What is not built answers 501 with a sentence that says so.
package rest
