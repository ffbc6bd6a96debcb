// Package web serves the publication over HTTP: the files of the output
// folder, the unsubscribe links, and what a supervisor asks for.
//
// It must not know how pages and feeds are made, how the list is stored, or
// that mail exists. Whoever comes here is a stranger: no cookie is set, no
// token or address is logged, and every request is bounded.
//
// Standards: RFC 9110 (semantics, conditional requests), RFC 9111 (caching),
// RFC 8058 (one-click unsubscribe).
package web
