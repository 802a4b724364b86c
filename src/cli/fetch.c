/* fetch.c — `tocsin data fetch NAME`. */
#include "data/fetch/fetch.h"
#include "base/log.h"
#include "cli/data.h"
#include "cli/progress.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void show(void *context, const char *file, uint64_t done, uint64_t total, double bytes_per_second) {
    char text[200], left[32] = "";
    const double share = total ? (double)done / (double)total : 1;
    const double seconds = bytes_per_second > 0 ? (double)(total - done) / bytes_per_second : 0;
    if (seconds > 0 && seconds < 1e6)
        snprintf(left, sizeof left, "  %d:%02d left", (int)seconds / 60, (int)seconds % 60);
    snprintf(text, sizeof text, "%.60s %3.0f %%  %.1f of %.1f MB  %.2f MB/s%s", file, 100 * share, (double)done / 1e6,
             (double)total / 1e6, bytes_per_second / 1e6, left);
    tc_meter_say(context, share, text);
}

static tc_status tell(const tc_arguments *arguments, const tc_remote_set *set, const char *folder, tc_error *error) {
    char source[TC_PATH_SIZE + 32];
    char *whole = realpath(folder, NULL); /* a spec may be run from anywhere */
    if (!whole) return tc_raise(error, TC_FAILED, "%s: cannot be found again: %s", folder, strerror(errno));
    snprintf(source, sizeof source, "%s:%s", set->scheme, whole);
    free(whole);
    if (tc_arguments_has(arguments, "json"))
        return tc_cli_print_json(json_pack("{s:s, s:s, s:s}", "name", set->name, "source", source, "page", set->page),
                                 error);
    if (tc_log_verbosity() == TC_QUIET) return TC_OK;
    printf("%s: complete and as published; about it and its terms: %s\nsource: %s\n", set->name, set->page, source);
    return TC_OK;
}

tc_status tc_cli_data_fetch(const tc_arguments *arguments, tc_error *error) {
    char folder[TC_PATH_SIZE];
    const char *out = tc_arguments_value(arguments, "out", NULL);
    const tc_remote_set *set = NULL;
    tc_meter meter = tc_meter_begin();
    const tc_fetch_hooks hooks = {.progress = show, .stop = tc_cli_stopped, .context = &meter};
    tc_status status = TC_OK;
    TC_TRY(tc_remote_find(arguments->positional[1], &set, error));
    if (out && !*out) TC_RAISE(TC_INVALID, "--out: is empty; name a folder");
    if (out)
        TC_TRY(tc_path_format(folder, error, "%s", out));
    else
        TC_TRY(tc_fetch_folder(set->name, folder, error));
    if (tc_folder_check_writable(folder, error) != TC_OK) TC_TRY(tc_error_at(error, "--out"));
    tc_cli_catch_signals();
    status = tc_fetch(set, tc_arguments_value(arguments, "from", NULL), folder, &hooks, error);
    tc_meter_clear(&meter);
    if (status == TC_OK) status = tell(arguments, set, folder, error);
done:
    return status;
}
