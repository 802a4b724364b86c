#define _GNU_SOURCE /* dladdr */
#include "compute/plugin.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LIBRARY "libtocsin-cuda.so"

/* The folder this code was loaded from: the program's, or libtocsin's. */
static bool own_folder(char folder[PATH_MAX]) {
    Dl_info here;
    char *end;
    if (!dladdr((void *)(uintptr_t)tc_plugin_find, &here) || !here.dli_fname || !realpath(here.dli_fname, folder))
        return false;
    end = strrchr(folder, '/');
    if (!end) return false;
    *end = '\0';
    return true;
}

/* The places to look, in their order; "" for one that does not exist. */
static void candidates(char place[3][2 * PATH_MAX]) {
    const char *said = getenv("TOCSIN_CUDA_PLUGIN");
    char folder[PATH_MAX];
    place[0][0] = place[1][0] = place[2][0] = '\0';
    if (said) {
        snprintf(place[0], sizeof place[0], "%s", said);
        return; /* who says where means there and nowhere else */
    }
    if (own_folder(folder)) snprintf(place[1], sizeof place[1], "%s/" LIBRARY, folder);
    snprintf(place[2], sizeof place[2], "%s/" LIBRARY, TC_PLUGIN_FOLDER);
}

static tc_status accept(void *library, const char *path, const tc_plugin **plugin, tc_error *error) {
    const tc_plugin *found = dlsym(library, "tocsin_plugin_v1");
    if (!found) return tc_raise(error, TC_INVALID, "device cuda: %s is not a plug-in of Tocsin", path);
    if (strcmp(found->version, TOCSIN_VERSION) != 0 || found->kernels != sizeof(tc_kernels) ||
        found->device != sizeof(tc_device))
        return tc_raise(error, TC_INVALID,
                        "device cuda: %s was built with another Tocsin (%s); build both from the same sources", path,
                        found->version);
    *plugin = found;
    return TC_OK;
}

tc_status tc_plugin_find(const tc_plugin **plugin, tc_error *error) {
    char place[3][2 * PATH_MAX];
    *plugin = NULL;
    candidates(place);
    for (int i = 0; i < 3; i++) {
        if (!place[i][0] || access(place[i], F_OK) != 0) continue;
        void *library = dlopen(place[i], RTLD_NOW | RTLD_LOCAL);
        if (!library) return tc_raise(error, TC_INVALID, "device cuda: %s", dlerror());
        return accept(library, place[i], plugin, error);
    }
    return tc_raise(error, TC_INVALID,
                    "device cuda: " LIBRARY " is neither beside the program nor in %s; build with CUDA 12 or later and "
                    "cuDNN 9 (meson option cuda), or use cpu",
                    TC_PLUGIN_FOLDER);
}
