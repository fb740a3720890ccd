package ingest

import (
	"fmt"
	"strings"
)

// grokPatterns are the named patterns that every pipeline may use. Names and what they match are those of logstash's library
// (Apache License 2.0); the sets for single products (aws, bacula, bind, bro, exim, firewalls, haproxy, junos, maven, mcollective,
// mongodb, nagios, postgresql, rails, redis, ruby, squid) are not here.
var grokPatterns = func() map[string]string {
	m := map[string]string{
		// Words and numbers
		"USERNAME":     `[-._a-zA-Z0-9]+`,
		"USER":         `%{USERNAME}`,
		"INT":          `(?:[-+]?[0-9]+)`,
		"BASE10NUM":    `(?<![-+.0-9])(?>[-+]?(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+))`,
		"NUMBER":       `(?:%{BASE10NUM})`,
		"BASE16NUM":    `(?<![a-fA-F0-9])(?:[-+]?(?:0x)?[a-fA-F0-9]+)`,
		"BASE16FLOAT":  `\b(?<![.a-fA-F0-9])(?:[-+]?(?:0x)?(?:[a-fA-F0-9]+(?:\.[a-fA-F0-9]*)?|\.[a-fA-F0-9]+))\b`,
		"POSINT":       `\b(?:[1-9][0-9]*)\b`,
		"NONNEGINT":    `\b(?:[0-9]+)\b`,
		"WORD":         `\b\w+\b`,
		"NOTSPACE":     `\S+`,
		"SPACE":        `\s*`,
		"DATA":         `.*?`,
		"GREEDYDATA":   `.*`,
		"UUID":         `[a-fA-F0-9]{8}(?:-[a-fA-F0-9]{4}){3}-[a-fA-F0-9]{12}`,
		"URN":          `urn:[a-zA-Z0-9][-a-zA-Z0-9]{0,31}:(?:%[a-fA-F0-9]{2}|[-a-zA-Z0-9()+,.:=@;$_!*'/?#])+`,
		"QS":           `%{QUOTEDSTRING}`,
		"QUOTEDSTRING": `(?<!\\)(?>` + quotes(`"`) + "|" + quotes(`'`) + "|" + quotes("`") + `)`,
		"PROG":         `[!-Z\\^-~]+`,
		"LOGLEVEL": `(` + strings.Join([]string{`[Aa]lert|ALERT`, `[Tt]race|TRACE`, `[Dd]ebug|DEBUG`, `[Nn]otice|NOTICE`, `[Ii]nfo|INFO`, `[Ww]arn?(?:ing)?|WARN?(?:ING)?`,
			`[Ee]rr?(?:or)?|ERR?(?:OR)?`, `[Cc]rit?(?:ical)?|CRIT?(?:ICAL)?`, `[Ff]atal|FATAL`, `[Ss]evere|SEVERE`, `EMERG(?:ENCY)?|[Ee]merg(?:ency)?`}, "|") + `)`,

		// Networks
		"EMAILLOCALPART": `[a-zA-Z][a-zA-Z0-9_.+-=:]+`,
		"EMAILADDRESS":   `%{EMAILLOCALPART}@%{HOSTNAME}`,
		"HTTPDUSER":      `%{EMAILADDRESS}|%{USER}`,
		"MAC":            `(?:%{CISCOMAC}|%{WINDOWSMAC}|%{COMMONMAC})`,
		"CISCOMAC":       `(?:[a-fA-F0-9]{4}(?:\.[a-fA-F0-9]{4}){2})`,
		"WINDOWSMAC":     `(?:[a-fA-F0-9]{2}(?:-[a-fA-F0-9]{2}){5})`,
		"COMMONMAC":      `(?:[a-fA-F0-9]{2}(?::[a-fA-F0-9]{2}){5})`,
		"IPV6":           ipv6(),
		"IPV4":           `(?<![0-9])(?:` + strings.Join([]string{octet, octet, octet, octet}, "[.]") + `)(?![0-9])`,
		"IP":             `(?:%{IPV6}|%{IPV4})`,
		"HOSTNAME":       `\b(?:[a-zA-Z0-9][-a-zA-Z0-9]{0,62})(?:\.[a-zA-Z0-9][-a-zA-Z0-9]{0,62})*(\.?|\b)`,
		"IPORHOST":       `(?:%{IP}|%{HOSTNAME})`,
		"HOSTPORT":       `%{IPORHOST}:%{POSINT}`,

		// Paths
		"PATH":         `(?:%{UNIXPATH}|%{WINPATH})`,
		"UNIXPATH":     `(/([-\w%!$@:.,+~]+|\\.)*)+`,
		"WINPATH":      `(?>[a-zA-Z]+:|\\)(?:\\[^\\?*]*)+`,
		"TTY":          `(?:/dev/(pts|tty([pq])?)(\w+)?/?[0-9]+)`,
		"URIPROTO":     `[a-zA-Z]([-a-zA-Z0-9+.]+)+`,
		"URIHOST":      `%{IPORHOST}(?::%{POSINT:port})?`,
		"URIPATH":      `(?:/[-a-zA-Z0-9$.+!*'(){},~:;=@#%&_]*)+`,
		"URIPARAM":     `\?[-a-zA-Z0-9$.+!*'|(){},~@#%&/=:;_?\[\]<>]*`,
		"URIPATHPARAM": `%{URIPATH}(?:%{URIPARAM})?`,
		"URI":          `%{URIPROTO}://(?:%{USER}(?::[^@]*)?@)?(?:%{URIHOST})?(?:%{URIPATHPARAM})?`,

		// Dates
		"MONTH": `\b(?:` + strings.Join([]string{`[Jj]an(?:uary|uar)?`, `[Ff]eb(?:ruary|ruar)?`, `[Mm](?:a|ä)?r(?:ch|z)?`, `[Aa]pr(?:il)?`, `[Mm]a(?:y|i)?`, `[Jj]un(?:e|i)?`,
			`[Jj]ul(?:y|i)?`, `[Aa]ug(?:ust)?`, `[Ss]ep(?:tember)?`, `[Oo](?:c|k)?t(?:ober)?`, `[Nn]ov(?:ember)?`, `[Dd]e(?:c|z)(?:ember)?`}, "|") + `)\b`,
		"MONTHNUM":           `(?:0?[1-9]|1[0-2])`,
		"MONTHNUM2":          `(?:0[1-9]|1[0-2])`,
		"MONTHDAY":           `(?:0[1-9]|[12][0-9]|3[01]|[1-9])`,
		"DAY":                `(?:Mon(?:day)?|Tue(?:sday)?|Wed(?:nesday)?|Thu(?:rsday)?|Fri(?:day)?|Sat(?:urday)?|Sun(?:day)?)`,
		"YEAR":               `(?>\d\d){1,2}`,
		"HOUR":               `(?:2[0-3]|[01]?[0-9])`,
		"MINUTE":             `(?:[0-5][0-9])`,
		"SECOND":             `(?:(?:[0-5]?[0-9]|60)(?:[:.,][0-9]+)?)`,
		"TIME":               `(?!<[0-9])%{HOUR}:%{MINUTE}(?::%{SECOND})(?![0-9])`,
		"DATE_US":            `%{MONTHNUM}[/-]%{MONTHDAY}[/-]%{YEAR}`,
		"DATE_EU":            `%{MONTHDAY}[./-]%{MONTHNUM}[./-]%{YEAR}`,
		"DATE":               `%{DATE_US}|%{DATE_EU}`,
		"ISO8601_TIMEZONE":   `(?:Z|[-+]%{HOUR}(?::?%{MINUTE}))`,
		"ISO8601_SECOND":     `(?:%{SECOND}|60)`,
		"ISO8601_HOUR":       `(?:2[0-3]|[01][0-9])`,
		"TIMESTAMP_ISO8601":  `%{YEAR}-%{MONTHNUM}-%{MONTHDAY}[T ]%{ISO8601_HOUR}:?%{MINUTE}(?::?%{SECOND})?%{ISO8601_TIMEZONE}?`,
		"DATESTAMP":          `%{DATE}[- ]%{TIME}`,
		"TZ":                 `(?:[APMCE][SD]T|UTC)`,
		"DATESTAMP_RFC822":   `%{DAY} %{MONTH} %{MONTHDAY} %{YEAR} %{TIME} %{TZ}`,
		"DATESTAMP_RFC2822":  `%{DAY}, %{MONTHDAY} %{MONTH} %{YEAR} %{TIME} %{ISO8601_TIMEZONE}`,
		"DATESTAMP_OTHER":    `%{DAY} %{MONTH} %{MONTHDAY} %{TIME} %{TZ} %{YEAR}`,
		"DATESTAMP_EVENTLOG": `%{YEAR}%{MONTHNUM2}%{MONTHDAY}%{HOUR}%{MINUTE}%{SECOND}`,
		"HTTPDERROR_DATE":    `%{DAY} %{MONTH} %{MONTHDAY} %{TIME} %{YEAR}`,
		"HTTPDATE":           `%{MONTHDAY}/%{MONTH}/%{YEAR}:%{TIME} %{INT}`,

		// Syslog
		"SYSLOGTIMESTAMP":      `%{MONTH} +%{MONTHDAY} %{TIME}`,
		"SYSLOGPROG":           `%{PROG:program}(?:\[%{POSINT:pid}\])?`,
		"SYSLOGHOST":           `%{IPORHOST}`,
		"SYSLOGFACILITY":       `<%{NONNEGINT:facility}.%{NONNEGINT:priority}>`,
		"SYSLOGBASE":           `%{SYSLOGTIMESTAMP:timestamp} (?:%{SYSLOGFACILITY} )?%{SYSLOGHOST:logsource} %{SYSLOGPROG}:`,
		"SYSLOGBASE2":          `(?:%{SYSLOGTIMESTAMP:timestamp}|%{TIMESTAMP_ISO8601:timestamp8601}) (?:%{SYSLOGFACILITY} )?%{SYSLOGHOST:logsource}+(?: %{SYSLOGPROG}:|)`,
		"SYSLOGLINE":           `%{SYSLOGBASE2} %{GREEDYDATA:message}`,
		"SYSLOGPAMSESSION":     `%{SYSLOGBASE} (?=%{GREEDYDATA:message})%{WORD:pam_module}\(%{DATA:pam_caller}\): session %{WORD:pam_session_state} for user %{USERNAME:username}(?: by %{GREEDYDATA:pam_by})?`,
		"SYSLOG5424PRINTASCII": `[!-~]+`,
		"SYSLOG5424PRI":        `<%{NONNEGINT:syslog5424_pri}>`,
		"SYSLOG5424SD":         `\[%{DATA}\]+`,
		"SYSLOG5424BASE": `%{SYSLOG5424PRI}%{NONNEGINT:syslog5424_ver} +(?:%{TIMESTAMP_ISO8601:syslog5424_ts}|-) +(?:%{IPORHOST:syslog5424_host}|-) ` + orDash("app") +
			orDash("proc") + orDash("msgid") + `+(?:%{SYSLOG5424SD:syslog5424_sd}|-|)`,
		"SYSLOG5424LINE": `%{SYSLOG5424BASE} +%{GREEDYDATA:syslog5424_msg}`,
		"CRON_ACTION":    `[A-Z ]+`,
		"CRONLOG":        `%{SYSLOGBASE} \(%{USER:user}\) %{CRON_ACTION:action} \(%{DATA:message}\)`,

		// Web servers
		"COMMONAPACHELOG": `%{IPORHOST:clientip} %{HTTPDUSER:ident} %{USER:auth} \[%{HTTPDATE:timestamp}\] "(?:%{WORD:verb} %{NOTSPACE:request}(?: HTTP/%{NUMBER:httpversion})?|%{DATA:rawrequest})"` +
			` %{NUMBER:response} (?:%{NUMBER:bytes}|-)`,
		"COMBINEDAPACHELOG": `%{COMMONAPACHELOG} %{QS:referrer} %{QS:agent}`,
		"HTTPD20_ERRORLOG":  `\[%{HTTPDERROR_DATE:timestamp}\] \[%{LOGLEVEL:loglevel}\] (?:\[client %{IPORHOST:clientip}\] )?%{GREEDYDATA:errormsg}`,
		"HTTPD24_ERRORLOG": `\[%{HTTPDERROR_DATE:timestamp}\] \[(%{WORD:module})?:%{LOGLEVEL:loglevel}\] \[pid %{POSINT:pid}(:tid %{NUMBER:tid})?\]` +
			`( \(%{POSINT:proxy_errorcode}\)%{DATA:proxy_errormessage}:)?( \[client %{IPORHOST:client}:%{POSINT:clientport}\])?( %{DATA:errorcode}:)? %{GREEDYDATA:message}`,
		"HTTPD_ERRORLOG": `%{HTTPD20_ERRORLOG}|%{HTTPD24_ERRORLOG}`,

		// Java
		"JAVACLASS":          `(?:[a-zA-Z$_][a-zA-Z0-9$_]*\.)*[a-zA-Z$_][a-zA-Z0-9$_]*`,
		"JAVAFILE":           `(?:[-A-Za-z0-9_. ]+)`,
		"JAVAMETHOD":         `(?:(<(?:cl)?init>)|[a-zA-Z$_][a-zA-Z0-9$_]*)`,
		"JAVATHREAD":         `(?:[A-Z]{2}-Processor\d+)`,
		"JAVALOGMESSAGE":     `(.*)`,
		"JAVASTACKTRACEPART": `at %{JAVACLASS:class}\.%{WORD:method}\(%{JAVAFILE:file}:%{NUMBER:line}\)`,
		"CATALINA_DATESTAMP": `%{MONTH} %{MONTHDAY}, 20%{YEAR} %{HOUR}:?%{MINUTE}(?::?%{SECOND}) (?:AM|PM)`,
		"TOMCAT_DATESTAMP":   `20%{YEAR}-%{MONTHNUM}-%{MONTHDAY} %{HOUR}:?%{MINUTE}(?::?%{SECOND}) %{ISO8601_TIMEZONE}`,
		"CATALINALOG":        `%{CATALINA_DATESTAMP:timestamp} %{JAVACLASS:class} %{JAVALOGMESSAGE:logmessage}`,
		"TOMCATLOG":          `%{TOMCAT_DATESTAMP:timestamp} \| %{LOGLEVEL:level} \| %{JAVACLASS:class} - %{JAVALOGMESSAGE:logmessage}`,
	}
	return m
}()

const octet = `(?:[01]?[0-9]{1,2}|2[0-4][0-9]|25[0-5])`

// quotes matches a text in quotes, in which a backslash quotes the next character.
func quotes(q string) string {
	return `(?>` + q + `(?>\\.|[^\\` + q + `]+)+` + q + `)|` + q + q
}

func orDash(what string) string {
	return `+(-|%{SYSLOG5424PRINTASCII:syslog5424_` + what + `}) `
}

// ipv6 matches an address of eight groups, of which :: leaves some out, with a dotted end or without, and a zone.
func ipv6() string {
	const (
		group  = `[a-fA-F0-9]{1,4}`
		byte8  = `(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)`
		dotted = `(?:` + byte8 + `(?:\.` + byte8 + `){3})`
	)
	forms := []string{fmt.Sprintf(`(?:%s:){7}(?:%s|:)`, group, group), fmt.Sprintf(`(?:%s:){6}(?::%s|%s|:)`, group, group, dotted)}
	for lead := 5; lead >= 1; lead-- {
		before := ":"
		if lead < 5 {
			before = fmt.Sprintf(`(?::%s){0,%d}:`, group, 5-lead)
		}
		forms = append(forms, fmt.Sprintf(`(?:%s:){%d}(?:(?::%s){1,%d}|%s%s|:)`, group, lead, group, 7-lead, before, dotted))
	}
	forms = append(forms, fmt.Sprintf(`:(?:(?::%s){1,7}|(?::%s){0,5}:%s|:)`, group, group, dotted))
	return `(?:` + strings.Join(forms, "|") + `)(?:%.+)?`
}
