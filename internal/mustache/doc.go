// Package mustache renders the templates of pipelines and searches as OpenSearch does: {{name}} with escaping, {{{name}}} and
// {{&name}} without, sections {{#name}}…{{/name}} and {{^name}}…{{/name}}, comments, other delimiters, and the functions
// {{#toJson}}, {{#join}}, {{#join delimiter='…'}} and {{#url}}. A missing value is empty.
//
// It is our own because OpenSearch's template language is not that of the Go libraries: lists have numbered members and a size,
// values print as Java prints them, text is escaped for JSON instead of HTML, and the functions are extensions. Partials are refused:
// they would read files.
package mustache
