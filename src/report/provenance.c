/* provenance.c — where the numbers come from: versions, machine, seeds, durations, and the spec to repeat it all with.
 */
#include "base/file.h"
#include "report/figures.h"
#include "report/html.h"
#include "report/sections.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LINE = 128, LARGEST_SPEC = 1 << 20 };

static void put_entry(const tc_page *page, const char *name, const char *value) {
    if (!*value || !strcmp(value, "–")) return;
    fputs("<dt>", page->out);
    tc_html_text(page->out, name);
    fputs("</dt><dd>", page->out);
    tc_html_text(page->out, value);
    fputs("</dd>\n", page->out);
}

static void put_number(const tc_page *page, const char *name, const char *format, double value) {
    char text[LINE];
    tc_figure_number(format, value, text, sizeof text);
    put_entry(page, name, text);
}

/* "2 h 05 min", "3 min 20 s", "4.2 s" */
static void duration(double seconds, char text[LINE]) {
    if (!isfinite(seconds) || seconds < 0)
        snprintf(text, LINE, "–");
    else if (seconds < 60)
        snprintf(text, LINE, "%.1f s", seconds);
    else if (seconds < 3600)
        snprintf(text, LINE, "%.0f min %02.0f s", floor(seconds / 60), floor(fmod(seconds, 60)));
    else
        snprintf(text, LINE, "%.0f h %02.0f min", floor(seconds / 3600), floor(fmod(seconds / 60, 60)));
}

/* A number of seconds or, of a kind of phase, {"seconds", "phases", "without_sharing"}. */
static void put_duration(const tc_page *page, const char *what, const json_t *value) {
    const double phases = tc_figure(value, "phases", NULL), unshared = tc_figure(value, "without_sharing", NULL);
    char name[LINE], text[LINE], line[3 * LINE];
    duration(json_is_number(value) ? json_number_value(value) : tc_figure(value, "seconds", NULL), text);
    if (!strcmp(text, "–") || phases == 0) return;
    int used = snprintf(line, sizeof line, "%s", text);
    if (isfinite(phases)) used += snprintf(line + used, sizeof line - (size_t)used, " in %.0f phases", phases);
    if (unshared > phases)
        snprintf(line + used, sizeof line - (size_t)used, ", which would be %.0f if nothing were shared", unshared);
    snprintf(name, sizeof name, "Time: %s", what);
    put_entry(page, name, line);
}

/* What the study spent, phase by phase, as the results say it; else crafting and training summed over the trials. */
static void put_durations(const tc_page *page) {
    json_t *durations = json_object_get(page->results, "durations");
    const json_t *rows = json_object_get(page->results, "trials");
    char text[LINE];
    for (void *at = json_object_iter(durations); at; at = json_object_iter_next(durations, at)) {
        put_duration(page, json_object_iter_key(at), json_object_iter_value(at));
    }
    if (json_object_size(durations)) return;
    double craft = 0, victim = 0;
    for (size_t i = 0; i < json_array_size(rows); i++) {
        craft += tc_figure(json_array_get(rows, i), "seconds", "craft", NULL);
        victim += tc_figure(json_array_get(rows, i), "seconds", "victim", NULL);
    }
    duration(craft, text);
    put_entry(page, "Time: crafting", text);
    duration(victim, text);
    put_entry(page, "Time: victims", text);
}

static void put_seeds(const tc_page *page) {
    const json_t *seeds = json_object_get(json_object_get(page->results, "provenance"), "seeds");
    char *text = seeds ? json_dumps(seeds, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
    if (text && strlen(text) < LINE)
        put_entry(page, "Seeds", text);
    else
        put_number(page, "Seed", "%.0f", tc_figure(page->results, "spec", "seed", NULL));
    free(text);
}

static void put_machine(const tc_page *page) {
    const json_t *own = json_object_get(json_object_get(page->results, "provenance"), "machine");
    const json_t *machine = json_is_object(own) ? own : json_object_get(page->results, "machine");
    put_entry(page, "Processor", tc_figure_text(machine, "cpu", NULL));
    put_entry(page, "GPU", tc_figure_text(machine, "gpu", NULL));
    put_number(page, "Cores", "%.0f", tc_figure(machine, "cores", NULL));
    put_number(page, "Memory", "%.1f GiB", tc_figure(machine, "memory_bytes", NULL) / 0x1p30);
    put_entry(page, "System", tc_figure_text(machine, "system", NULL));
    put_entry(page, "Compiler", tc_figure_text(machine, "compiler", NULL));
    put_entry(page, "oneDNN", tc_figure_text(machine, "onednn", NULL));
}

static void put_spec(const tc_page *page) {
    const char *text = tc_figure_text(page->results, "provenance", "spec", NULL);
    char path[TC_PATH_SIZE];
    uint8_t *file = NULL;
    size_t size = 0;
    if (tc_path_format(path, NULL, "%s/spec.resolved.yaml", page->folder) == TC_OK &&
        tc_file_read(path, LARGEST_SPEC, &file, &size, NULL) == TC_OK)
        text = (const char *)file;
    if (*text) {
        fputs("<details class=\"print\"><summary>spec.resolved.yaml</summary><pre>", page->out);
        tc_html_text(page->out, text);
        fputs("</pre></details>\n", page->out);
    }
    free(file);
}

void tc_page_provenance(const tc_page *page) {
    fputs("<h2>Where it comes from</h2>\n<dl>\n", page->out);
    put_entry(page, "Tocsin", tc_figure_text(page->results, "version", NULL));
    put_entry(page, "Started", tc_figure_text(page->results, "provenance", "started", NULL));
    put_entry(page, "Finished", tc_figure_text(page->results, "provenance", "finished", NULL));
    put_entry(page, "Written", tc_figure_text(page->results, "time", NULL));
    put_seeds(page);
    put_durations(page);
    put_machine(page);
    fputs("</dl>\n<p>To repeat it: <code>tocsin run spec.resolved.yaml</code> with the file below. On the same kind of "
          "processor the "
          "same seed gives the same numbers.</p>\n",
          page->out);
    put_spec(page);
}
