// Package url reads blobs from a web server or from a folder, as OpenSearch's repositories of type "url" do.
//
// Nothing is ever written. A web server cannot list either, so a repository there is found through
// index.latest. The URL must match one of the patterns in the node's setting repositories.url.allowed_urls
// (scheme, host, port and path apart, with * for any text; a port must be written out), and so must every
// place that the server redirects to; a file: URL may also lie below path.repo.
//
// The schemes "http:" and "https:" open such a place without asking allowed_urls: an operator typed it.
package url
