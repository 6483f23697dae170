/*
 * dns_server.h — a name server on loopback, in a thread, that answers as a table says: late, never, wrongly.
 *
 * Design: blocking sockets and none of the library's code. A question is looked up in the table by name and
 * type; what is not there does not exist. UDP and TCP have the same port.
 */
#ifndef DNS_SERVER_H
#define DNS_SERVER_H

#include <stdbool.h>

enum dns_answer {
	DNS_ADDRS,     /* those in `data`, divided by blanks; none: an answer without records */
	DNS_CNAME,     /* the first word of `data` is the name they really belong to */
	DNS_CHAIN,     /* and so for a dozen names */
	DNS_NEVER,     /* no answer at all */
	DNS_NXDOMAIN,  /* there is no such name */
	DNS_SERVFAIL,  /* the server cannot say */
	DNS_TRUNCATED, /* over UDP only that there is more; over TCP the addresses */
	DNS_TRUNCATED_SHUT, /* and over TCP nothing but the end */
	DNS_WRONG_ID, /* first 127.6.6.6 as the answer to another question's number, then the addresses */
	DNS_WRONG_QUESTION, /* first 127.6.6.6 as the answer about another name, then the addresses */
	DNS_GARBAGE,        /* bytes that are no message, behind the right number */
	DNS_SHORT,          /* a message that ends within its record */
	DNS_LOOP,           /* a name whose compression points at itself */
	DNS_FORWARD,        /* one that points behind the end */
	DNS_LONG_NAME,      /* a CNAME of `data` bytes on the wire */
	DNS_MANY,           /* `data` addresses, 127.1.0.0 and so on */
};

struct dns_rule {
	const char *name;
	int type; /* 1: A, 28: AAAA, 0: any */
	enum dns_answer answer;
	const char *data;
	int delay; /* milliseconds */
};

#define DNS_A 1
#define DNS_AAAA 28

struct dns_server;

/* The table ends with a rule without name, and has to outlive the server. */
struct dns_server *dns_start(const struct dns_rule *rules);
void dns_stop(struct dns_server *s);
const char *dns_address(const struct dns_server *s); /* "127.0.0.1:5353" */
/* Questions about that name so far, NULL: any; of that type, 0: any. */
int dns_asked(struct dns_server *s, const char *name, int type);

#endif
