#include "experiment/run/machine.h"

#include <dnnl.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>
#if defined(__APPLE__)
#include <sys/sysctl.h>
#endif

/* The processor's name, as its maker writes it. */
#if defined(__APPLE__)
static void processor(char *name, size_t size) {
    if (sysctlbyname("machdep.cpu.brand_string", name, &size, NULL, 0)) snprintf(name, size, "unknown");
}
#else
static void processor(char *name, size_t size) {
    char line[256];
    FILE *file = fopen("/proc/cpuinfo", "r");
    snprintf(name, size, "unknown");
    while (file && fgets(line, sizeof line, file)) {
        const char *colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) || !colon) continue;
        snprintf(name, size, "%.*s", (int)strcspn(colon + 2, "\n"), colon + 2);
        break;
    }
    if (file) fclose(file);
}
#endif

json_t *tc_machine_json(const char *gpu) {
    char cpu[128], system[512], onednn[64], libraries[64];
    struct utsname name = {0};
    uname(&name);
    processor(cpu, sizeof cpu);
    snprintf(system, sizeof system, "%.100s %.100s %.100s", name.sysname, name.release, name.machine);
    const dnnl_version_t *version = dnnl_version();
    snprintf(onednn, sizeof onednn, "%d.%d.%d", version->major, version->minor, version->patch);
    snprintf(libraries, sizeof libraries, "%s", jansson_version_str());
    const long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE), cores = sysconf(_SC_NPROCESSORS_ONLN);
    const json_int_t memory = pages > 0 && page > 0 ? (json_int_t)pages * page : 0;
    json_t *made = json_pack("{s:s, s:I, s:I, s:s, s:s, s:s, s:s, s:s}", "cpu", cpu, "cores", (json_int_t)cores,
                             "memory_bytes", memory, "system", system, "compiler", __VERSION__, "tocsin",
                             TOCSIN_VERSION, "onednn", onednn, "jansson", libraries);
    if (*gpu) json_object_set_new(made, "gpu", json_string(gpu));
    return made;
}
