/* data.h — the verbs of `tocsin data` that have a file of their own. */
#ifndef TC_CLI_DATA_H
#define TC_CLI_DATA_H

#include "cli/cli.h"

tc_status tc_cli_data_fetch(const tc_arguments *arguments, tc_error *error);
tc_status tc_cli_data_export(const tc_arguments *arguments, tc_error *error);

/* Opens the data that `options` describes, an object with keys of a spec's `dataset`, after --set has changed them. */
tc_status tc_cli_open_data(const tc_arguments *arguments, const json_t *options, tc_dataset **dataset, tc_error *error);

#endif
