/* edge_cases.h — what is asked of the pollers that report changes, besides poller_cases.h. */
#ifndef EDGE_CASES_H
#define EDGE_CASES_H

#include "poller_cases.h"

void every_change_is_told_once(void **state);
void everything_is_told_whatever_was_asked_for(void **state);
void error_is_told(void **state);
void own_descriptor_is_readable_when_something_is(void **state);

/* clang-format off */
#define EDGE_CASES(poller) \
	ON_POLLER(every_change_is_told_once, poller), \
	ON_POLLER(everything_is_told_whatever_was_asked_for, poller), \
	ON_POLLER(error_is_told, poller), \
	ON_POLLER(own_descriptor_is_readable_when_something_is, poller)
/* clang-format on */

#endif
