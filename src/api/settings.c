#include "api/api.h"

#include <math.h>
#include <stddef.h>

int tc_api_count(const char *const *settings) {
    int count = 0;
    while (settings && settings[count]) count++;
    return count;
}

tc_status tc_api_lay(const tc_option *table, void *object, const char *const *settings, const char *where,
                     tc_error *error) {
    for (int i = 0; settings && settings[i]; i++)
        if (tc_options_assign(table, object, settings[i], error) != TC_OK) return tc_error_at(error, where);
    return TC_OK;
}

tocsin_progress tc_api_progress(const char *phase, double fraction) {
    return (tocsin_progress){.phase = phase,
                             .fraction = fraction,
                             .loss = NAN,
                             .accuracy = NAN,
                             .images_per_second = NAN,
                             .seconds_left = NAN,
                             .label = ""};
}

void tc_api_tell(const tocsin_hooks *hooks, const tocsin_progress *progress) {
    if (hooks && hooks->progress) hooks->progress(hooks->context, progress);
}

bool tc_api_stopped(void *context) {
    const tocsin_hooks *hooks = context;
    return hooks && hooks->stop && hooks->stop(hooks->context);
}
