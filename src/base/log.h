/* log.h — what the program tells a person while it works, on standard error. Nothing until somebody says otherwise. */
#ifndef TC_BASE_LOG_H
#define TC_BASE_LOG_H

typedef enum tc_verbosity { TC_QUIET, TC_NORMAL, TC_VERBOSE } tc_verbosity;

void tc_log_set(tc_verbosity verbosity);
tc_verbosity tc_log_verbosity(void);
/* A line, shown unless --quiet; tc_log_detail: only with --verbose. */
__attribute__((format(printf, 1, 2))) void tc_log(const char *format, ...);
__attribute__((format(printf, 1, 2))) void tc_log_detail(const char *format, ...);

#endif
