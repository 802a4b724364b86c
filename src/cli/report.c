#include "cli/cli.h"

#include "base/log.h"
#include "report/report.h"

#include <stdio.h>

static const tc_flag flags[] = {
    {"json", NULL, "print the results as JSON instead of a table"}, TC_COMMON_FLAGS, TC_FLAGS_END};

static const tc_usage usage = {
    .command = "report",
    .operands = "DIR",
    .summary = "rebuild the report of a study from its results",
    .details = "DIR is what `tocsin run --out DIR` left. Writes DIR/report.html and DIR/tables/ anew.\n",
    .least = 1,
    .most = 1,
    .flags = flags};

tc_status tc_cli_show(const tc_arguments *arguments, const char *folder, tc_error *error) {
    json_t *results = NULL;
    tc_status status = TC_OK;
    TC_TRY(tc_report_read(folder, &results, error));
    TC_TRY(tc_report_write(folder, results, error));
    if (tc_arguments_has(arguments, "json")) {
        TC_TRY(tc_cli_print_json(json_incref(results), error));
    } else if (tc_log_verbosity() != TC_QUIET) {
        TC_TRY(tc_report_table(results, stdout, error));
        printf("\nReport: %s/report.html\n", folder);
    }
done:
    json_decref(results);
    return status;
}

int tc_cli_report(int argc, char **argv) {
    tc_arguments arguments;
    tc_error error = {0};
    tc_status status = tc_arguments_parse(&usage, argc, argv, &arguments, &error);
    if (status == TC_OK) status = tc_cli_show(&arguments, arguments.positional[0], &error);
    return tc_cli_finish(status, &error);
}
